-- KEYS  handle
-- Also where none are left here: a caller may know of some that were forgotten.
local h = load(KEYS[1])
if h then
	clear(h)
	save(KEYS[1], h)
end
return redis.status_reply('OK')
