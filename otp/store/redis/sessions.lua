-- The sessions' names are known only from the sets of the owner, so only those
-- are in KEYS; a session is in the shard of the set that names it.
-- KEYS  the owner's sessions in every shard; on a Cluster, in one
local found = {}
for _, key in ipairs(KEYS) do
	local shard = string.match(key, '^.-{%d%d}:')
	for _, id in ipairs(redis.call('ZRANGEBYSCORE', key, '(' .. string.format('%.0f', now), '+inf')) do
		local s = live_session(shard .. 's:' .. id)
		if s then
			found[#found + 1] = { id, s.sealed, s.refresh, s.lifetime, s.created, s.since, s.used }
		else
			redis.call('ZREM', key, id)
		end
	end
end
return found
