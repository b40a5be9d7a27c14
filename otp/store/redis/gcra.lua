-- Throttles (GCRA). A bucket is one number, its clock: when it will be full
-- again, in µs. Each event moves the clock on by the bucket's interval; an
-- event is refused where that would put the clock further ahead of now than a
-- whole burst.
--
-- Charges are in KEYS and ARGV:
--   KEYS  the buckets that have keys of their own
--   ARGV  how many those are; how many are the handle's; the windows of these;
--         then the interval and the burst of each, in µs

-- advance moves the clocks on by one event each; the rates begin at ARGV[at].
-- It returns the place of the charge that has to wait longest, or 0 where none
-- is refused, and the wait.
local function advance(clocks, count, at)
	local refused, longest = 0, 0
	for i = 1, count do
		local interval, full = tonumber(ARGV[at]), now + ARGV[at + 1]
		local clock = tonumber(clocks[i]) or now
		-- A clock may be further ahead than a burst where the limit was lowered
		-- or the server's time was put back: that is an empty bucket.
		if clock < now then clock = now elseif clock > full then clock = full end
		clock = clock + interval
		clocks[i] = clock
		if clock - full > longest then
			refused, longest = i, clock - full
		end
		at = at + 2
	end
	return refused, longest
end

-- keep writes a bucket that has a key of its own.
local function keep(key, clock)
	redis.call('SET', key, clock, 'PXAT', milliseconds(clock))
end

-- give_back takes one event off a bucket, never below empty.
local function give_back(key, interval)
	local clock = tonumber(redis.call('GET', key))
	if not clock then return end
	if clock - interval > now then
		keep(key, clock - interval)
	else
		redis.call('DEL', key)
	end
end
