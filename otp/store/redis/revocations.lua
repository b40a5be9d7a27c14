-- KEYS  the revocations of every shard; on a Cluster, of one
-- ARGV  since when, in µs
local found = {}
for _, key in ipairs(KEYS) do
	local members = redis.call('ZRANGEBYSCORE', key, ARGV[1], '+inf', 'WITHSCORES')
	for i = 1, #members, 2 do
		local at = tonumber(members[i + 1])
		if at + string.match(members[i], '^%d+') > now then
			found[#found + 1] = members[i]
			found[#found + 1] = at
		end
	end
end
return { now, found }
