-- The beginning of every script. Times are µs since 1970 by the server's
-- clock. Whether something is over is judged by it and never by a TTL, which
-- only frees the space.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2] + OFFSET

local function milliseconds(t)
	return math.ceil(t / 1000)
end

-- outlive keeps a key at least until a time. What grows all the time is given
-- an hour more, so that it is rarely written.
local function outlive(key, at)
	if redis.call('PTTL', key) < milliseconds(at - now) then
		redis.call('PEXPIREAT', key, milliseconds(at) + 3600000)
	end
end
