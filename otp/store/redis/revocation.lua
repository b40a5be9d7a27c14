-- A shard's revocations are a sorted set by when they were made; a member is
-- the lifetime, a blank, s for a session or p for a person, and the name.

-- How many revocations that are over are removed for each that is made.
local PRUNE = 16

local function revoke(key, lifetime, what)
	-- A sign-out must work on a full server: after a removal, which Redis always
	-- allows, it lets the rest of a script write.
	redis.call('ZREM', key, '')
	redis.call('ZADD', key, now, string.format('%.0f ', lifetime) .. what)
	outlive(key, now + lifetime)
	local oldest = redis.call('ZRANGE', key, 0, PRUNE - 1, 'WITHSCORES')
	for i = 1, #oldest, 2 do
		if oldest[i + 1] + string.match(oldest[i], '^%d+') <= now then
			redis.call('ZREM', key, oldest[i])
		end
	end
end
