-- KEYS  handle, message, queue; the charges' buckets
-- ARGV  group, code, link, lifetime, attempts, keep;
--       message id (empty: nothing is queued), its value, lifetime and lease;
--       the charges
local n_keys, n_windows = tonumber(ARGV[11]), tonumber(ARGV[12])
local h = load(KEYS[1]) or { 0, 0, {}, {} }

local clocks = n_keys > 0 and redis.call('MGET', unpack(KEYS, 4)) or {}
for i = 1, n_windows do clocks[n_keys + i] = h[CLOCKS][ARGV[12 + i]] end
local refused, wait = advance(clocks, n_keys + n_windows, 13 + n_windows)
if refused > 0 then return { THROTTLED, now, wait, refused } end

local group, link = ARGV[1], ARGV[3]
if link == '' then
	wait = cooling(h)
	if wait > 0 then return { COOLING_DOWN, now, wait } end
end

local challenges = { { group, ARGV[2], link, now + ARGV[4], 0, tonumber(ARGV[5]), 0, '', '' } }
local same, keep_same = 1, tonumber(ARGV[6])
for _, c in ipairs(h[CHALLENGES]) do
	local forget = is_forgotten(c)
	if c[GROUP] == group then
		forget = not is_live(c) or same >= keep_same
		if not forget then same = same + 1 end
	end
	if not forget then challenges[#challenges + 1] = c end
end
while #challenges > MAX_CHALLENGES do
	local drop = #challenges
	for i = #challenges, 2, -1 do
		if not is_live(challenges[i]) then
			drop = i
			break
		end
	end
	table.remove(challenges, drop)
end
h[CHALLENGES] = challenges
for i = 1, n_windows do h[CLOCKS][ARGV[12 + i]] = clocks[n_keys + i] end
save(KEYS[1], h)
for i = 1, n_keys do keep(KEYS[3 + i], clocks[i]) end

local accepted = { ACCEPTED, now }
for i = 1, n_keys + n_windows do accepted[2 + i] = clocks[i] - now end

-- A start that queues nothing does the same work, so that it takes as long.
local id, ends = ARGV[7], now + ARGV[9]
local message = format_message(1, ends, ARGV[8])
if id == '' then
	redis.call('SET', KEYS[2], message, 'PX', 1)
	redis.call('ZREM', KEYS[3], id)
	redis.call('PTTL', KEYS[3])
	return accepted
end
redis.call('SET', KEYS[2], message, 'PXAT', milliseconds(ends + OVERDUE))
redis.call('ZADD', KEYS[3], now + ARGV[10], id)
outlive(KEYS[3], ends + OVERDUE)
return accepted
