-- KEYS  message, queue
-- ARGV  id, fence, again (0: the message is done)
local value = redis.call('GET', KEYS[1])
if not value or parse_message(value) ~= tonumber(ARGV[2]) then
	return redis.status_reply('STALE')
end
if ARGV[3] == '0' then
	redis.call('DEL', KEYS[1])
	redis.call('ZREM', KEYS[2], ARGV[1])
else
	redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
end
return redis.status_reply('OK')
