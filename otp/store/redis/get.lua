-- KEYS  record
return live_record(KEYS[1]) or false
