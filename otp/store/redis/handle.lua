-- All that is kept of a handle is one packed value, read and written whole:
-- that is cheaper than a hash, whose every field is an argument.
--   FAILURES    since the last success
--   LAST        when the last of them was
--   CLOCKS      the clocks of its address throttles, by window
--   CHALLENGES  the newest first
--   CLEARED     when a success last took back failures; older ones have none
local FAILURES, LAST, CLOCKS, CHALLENGES, CLEARED = 1, 2, 3, 4, 5

-- A challenge. USED is when it was used, or 0.
local GROUP, CODE, LINK, EXPIRES, ATTEMPTS, LIMIT, USED, BROWSER, SESSION = 1, 2, 3, 4, 5, 6, 7, 8, 9

local function is_code_live(c)
	return c[CODE] ~= '' and c[USED] == 0 and now < c[EXPIRES] and c[ATTEMPTS] < c[LIMIT]
end

local function is_link_live(c)
	return c[LINK] ~= '' and c[USED] == 0 and now < c[EXPIRES]
end

local function is_live(c) return is_code_live(c) or is_link_live(c) end

local function is_forgotten(c)
	return now >= c[EXPIRES] + REMEMBERED
end

-- load returns what is kept of a handle, or nil, without the failures that
-- are too long ago.
local function load(key)
	local packed = redis.call('GET', key)
	if not packed then return nil end
	local h = cmsgpack.unpack(packed)
	if now >= h[LAST] + DISABLED_FOR then h[FAILURES], h[LAST] = 0, 0 end
	return h
end

-- save keeps a handle until the last of what it holds is over.
local function save(key, h)
	local latest = h[LAST] > 0 and h[LAST] + DISABLED_FOR or 0
	for window, clock in pairs(h[CLOCKS]) do
		if clock <= now then
			h[CLOCKS][window] = nil
		elseif clock > latest then
			latest = clock
		end
	end
	for _, c in ipairs(h[CHALLENGES]) do
		latest = math.max(latest, c[EXPIRES] + REMEMBERED)
	end
	if h[CLEARED] then latest = math.max(latest, h[CLEARED] + FAILURES_REMEMBERED) end
	redis.call('SET', key, cmsgpack.pack(h), 'PXAT', milliseconds(latest))
end

-- clear takes all failures back.
local function clear(h)
	h[FAILURES], h[LAST], h[CLEARED] = 0, 0, now
end

-- cooling returns how much longer no code is judged, 0 where codes are: never
-- longer than the failures ask for, also where the clock was put back.
local function cooling(h)
	local wait = cool_down(h[FAILURES])
	return math.min(wait, math.max(0, h[LAST] + wait - now))
end
