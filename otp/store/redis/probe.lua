-- Asks whether the server takes writes and has room, by commands of each sort
-- that the other scripts use. It leaves as much behind as a start that queues
-- nothing.
-- KEYS  message, queue
redis.call('SET', KEYS[1], '', 'PX', 1)
redis.call('GET', KEYS[1])
redis.call('ZREM', KEYS[2], '')
redis.call('PTTL', KEYS[2])
return redis.status_reply('OK')
