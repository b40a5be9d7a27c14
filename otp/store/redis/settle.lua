-- KEYS  for each message: it, its queue
-- ARGV  for each message: its id, fence, again (0: the message is done)
for i = 1, #KEYS, 2 do
	local message, queue = KEYS[i], KEYS[i + 1]
	local at = (i - 1) / 2 * 3
	local id, fence, again = ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3]
	local value = redis.call('GET', message)
	if value and parse_message(value) == fence then
		if again == '0' then
			redis.call('DEL', message)
			redis.call('ZREM', queue, id)
		else
			redis.call('ZADD', queue, now + again, id)
		end
	end
end
return redis.status_reply('OK')
