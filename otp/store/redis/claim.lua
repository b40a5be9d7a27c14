-- The names of messages are known only from the queues, so the script makes
-- the names of both.
-- KEYS  none; or, on a Cluster, a queue of the only shard to look into
-- ARGV  prefix, limit, lease, the shard to begin with; the realms
local prefix, limit, lease, first = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local claimed = {}

local function claim(shard, realm, queue)
	local room = limit - #claimed
	if room <= 0 then return end
	for _, id in ipairs(redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'LIMIT', 0, room)) do
		local key = shard .. 'm:' .. id
		local value = redis.call('GET', key)
		local fence, expires, rest
		if value then fence, expires, rest = parse_message(value) end
		if value and now < expires + OVERDUE then
			redis.call('SET', key, format_message(fence + 1, expires, rest), 'KEEPTTL')
			redis.call('ZADD', queue, now + lease, id)
			claimed[#claimed + 1] = { realm, id, fence + 1, expires, rest }
		else
			redis.call('ZREM', queue, id)
			redis.call('DEL', key)
		end
	end
end

for i = 0, #KEYS > 0 and 0 or SHARDS - 1 do
	local shard = string.format('%s{%02d}:', prefix, (first + i) % SHARDS)
	for r = 5, #ARGV do
		claim(shard, r - 5, shard .. 'q:' .. ARGV[r])
	end
end
return claimed
