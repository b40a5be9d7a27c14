-- KEYS  handle, message, queue; the charges' buckets
-- ARGV  group, code, link, lifetime, attempts, keep;
--       message id (empty: nothing is queued), its value, lifetime and lease;
--       the charges
local charges_at = 11
local n_keys, n_fields = tonumber(ARGV[charges_at]), tonumber(ARGV[charges_at + 1])
local names_at = charges_at + 2

local hash = redis.call('HMGET', KEYS[1], 'c', 'f', 'l', 'x', unpack(ARGV, names_at, names_at + n_fields - 1))
local clocks = n_keys > 0 and redis.call('MGET', unpack(KEYS, 4)) or {}
for i = 1, n_fields do clocks[n_keys + i] = hash[4 + i] end

local refused, wait = advance(clocks, n_keys + n_fields, names_at + n_fields)
if refused > 0 then return { THROTTLED, now, wait, refused } end

local group, link = ARGV[1], ARGV[3]
wait = cooling(consecutive(hash[2], hash[3]))
if link == '' and wait > 0 then return { COOLING_DOWN, now, wait } end

local expires = now + ARGV[4]
local challenges = { { group, ARGV[2], link, expires, 0, tonumber(ARGV[5]), 0, '', '' } }
local same, keep_same = 1, tonumber(ARGV[6])
for _, c in ipairs(unpack_challenges(hash[1])) do
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

local latest = expires + REMEMBERED
local set = { 'c', cmsgpack.pack(challenges), 'x', 0 }
for i = 1, n_fields do
	local clock = clocks[n_keys + i]
	set[#set + 1] = ARGV[names_at + i - 1]
	set[#set + 1] = clock
	latest = math.max(latest, clock)
end
set[4] = math.max(milliseconds(latest), tonumber(hash[4]) or 0)
redis.call('HSET', KEYS[1], unpack(set))
redis.call('PEXPIREAT', KEYS[1], set[4])
for i = 1, n_keys do keep(KEYS[3 + i], clocks[i]) end

-- A start that queues nothing does the same work, so that it takes as long.
local id, ends = ARGV[7], now + ARGV[9]
if id == '' then
	redis.call('SET', KEYS[2], ARGV[8], 'PX', 1)
	redis.call('ZREM', KEYS[3], id)
	redis.call('PTTL', KEYS[3])
	return { ACCEPTED, now }
end
redis.call('SET', KEYS[2], format_message(1, ends, ARGV[8]), 'PXAT', milliseconds(ends + OVERDUE))
redis.call('ZADD', KEYS[3], now + ARGV[10], id)
outlive(KEYS[3], ends + OVERDUE)
return { ACCEPTED, now }
