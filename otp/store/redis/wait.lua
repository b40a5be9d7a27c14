-- What a handle's own throttles would say to one more event. It charges
-- nothing.
-- KEYS  handle
-- ARGV  the charges, all of them the handle's
local n_windows = tonumber(ARGV[2])
local h, clocks = load(KEYS[1]), {}
for i = 1, n_windows do clocks[i] = h and h[CLOCKS][ARGV[2 + i]] end
local refused, wait = advance(clocks, n_windows, 3 + n_windows)
if refused > 0 then return { THROTTLED, now, wait, refused } end
return { ACCEPTED, now }
