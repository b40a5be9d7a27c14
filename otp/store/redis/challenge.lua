-- What start and verify know of challenges. A handle's hash has these fields:
--   c  its challenges, the newest first, packed
--   f  failures since the last success
--   l  when the last of them was, in µs
--   x  when the hash expires, in ms; never earlier than it was
--   w… the clock of the address throttle of that window
local GROUP, CODE, LINK, EXPIRES, ATTEMPTS, LIMIT, USED, BROWSER, SESSION = 1, 2, 3, 4, 5, 6, 7, 8, 9

local function unpack_challenges(packed)
	return packed and cmsgpack.unpack(packed) or {}
end

local function is_live(c)
	return c[USED] == 0 and c[ATTEMPTS] < c[LIMIT] and now < c[EXPIRES]
end

local function is_forgotten(c)
	return now >= c[EXPIRES] + REMEMBERED
end

-- consecutive returns the failures that are still remembered.
local function consecutive(failures, last)
	failures, last = tonumber(failures) or 0, tonumber(last) or 0
	if now >= last + DISABLED_FOR then return 0, 0 end
	return failures, last
end

-- cooling returns how much longer no code is judged, 0 where codes are.
local function cooling(failures, last)
	return math.max(0, last + cool_down(failures) - now)
end
