-- KEYS  handle, account, session, the owner's sessions; the charges' buckets;
--       the refunds' buckets; the expected record, where there is one
-- ARGV  group, 1 for a link, browser, 1 where the account must be known;
--       session id, empty where the guess is only tried, its value's parts:
--       sealed, refresh, lifetime, owner;
--       1 where a record is expected, its value, empty where there is none;
--       how many tags, the tags; the charges; the refunds; failures that the
--       caller knows of, and when the last of them was
local group, is_link, browser = ARGV[1], ARGV[2] == '1', ARGV[3]
local n_tags = tonumber(ARGV[12])
local charges_at = 13 + n_tags
local n_keys, n_windows = tonumber(ARGV[charges_at]), tonumber(ARGV[charges_at + 1])
local windows_at = charges_at + 2
local rates_at = windows_at + n_windows
local tag_at = is_link and LINK or CODE

local function matches(c)
	local kept = c[tag_at]
	if kept == '' then return false end
	local equal = false
	for i = 13, 12 + n_tags do
		if ARGV[i] == kept then equal = true end
	end
	return equal
end

local h = load(KEYS[1])
local challenges = h and h[CHALLENGES] or {}

-- 0. The failures that this server has forgotten.
local known_failures, known_last = tonumber(ARGV[#ARGV - 1]), tonumber(ARGV[#ARGV])
if #challenges > 0 and known_failures > h[FAILURES] and known_last > (h[CLEARED] or 0) then
	h[FAILURES], h[LAST] = known_failures, math.max(h[LAST], known_last)
end

-- 1. The charges. A handle that was never started gets no clocks.
local clocks = n_keys > 0 and redis.call('MGET', unpack(KEYS, 5, 4 + n_keys)) or {}
if h then
	for i = 1, n_windows do clocks[n_keys + i] = h[CLOCKS][ARGV[windows_at + i - 1]] end
end
local refused, wait = advance(clocks, n_keys + n_windows, rates_at)
if refused > 0 then return { THROTTLED, now, wait, refused } end
for i = 1, n_keys do keep(KEYS[4 + i], clocks[i]) end
if h and n_windows > 0 then
	for i = 1, n_windows do h[CLOCKS][ARGV[windows_at + i - 1]] = clocks[n_keys + i] end
	save(KEYS[1], h)
end

-- 2. The same again, by the browser that had it right before.
if browser ~= '' then
	for _, c in ipairs(challenges) do
		if c[USED] > 0 and now - c[USED] < REPEAT_WINDOW and c[BROWSER] == browser and matches(c) then
			-- The session is in the handle's shard, so its name differs from
			-- the new one's only in the id.
			local s = live_session(string.sub(KEYS[3], 1, -1 - #ARGV[5]) .. c[SESSION])
			if s then
				return { REPEATED, now, c[SESSION], s.sealed, s.refresh, s.lifetime, s.created, s.since, s.used }
			end
		end
	end
end

-- 3. The cool-down.
if h and not is_link then
	wait = cooling(h)
	if wait > 0 then return { COOLING_DOWN, now, wait } end
end

-- 4. and 7. Why a guess is refused; failures, where it was counted.
local function refusal(failures)
	local newest
	for _, c in ipairs(challenges) do
		if not is_forgotten(c) then
			if c[USED] == 0 and now >= c[EXPIRES] and matches(c) then return { EXPIRED, now, failures } end
			if c[GROUP] == group then newest = newest or c end
		end
	end
	if newest and not is_link and newest[CODE] ~= '' and newest[USED] == 0 and newest[ATTEMPTS] >= newest[LIMIT] then
		return { EXHAUSTED, now, failures }
	end
	return { WRONG, now, failures }
end

local admitted, codes = {}, {}
for _, c in ipairs(challenges) do
	if is_code_live(c) then codes[#codes + 1] = c end
	if is_link and is_link_live(c) then admitted[#admitted + 1] = c end
end
if not is_link then admitted = codes end
if #admitted == 0 then return refusal(0) end

-- 5. Count, in the database, before anything is compared: a server that takes
-- no writes ends the script here. A link isn't counted during the cool-down.
local counted = not is_link or cooling(h) == 0
local failures, last = h[FAILURES], h[LAST]
if counted then
	for _, c in ipairs(codes) do c[ATTEMPTS] = c[ATTEMPTS] + 1 end
	h[FAILURES], h[LAST] = failures + 1, now
end
save(KEYS[1], h)
local function miss() return refusal(counted and h[FAILURES] or 0) end

local match
for _, c in ipairs(admitted) do
	match = match or (matches(c) and c)
end
if not match then return miss() end
local since = tonumber(redis.call('GET', KEYS[2]))
if ARGV[4] == '1' and not since then return miss() end

-- 6. A match.
if counted then
	for _, c in ipairs(codes) do c[ATTEMPTS] = c[ATTEMPTS] - 1 end
end
local function refund(first_key, at)
	local n_keys, n_windows = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
	local rates_at = at + 2 + n_windows
	for i = 0, n_keys - 1 do
		give_back(KEYS[first_key + i], ARGV[rates_at + 2 * i])
	end
	for i = 0, n_windows - 1 do
		local window = ARGV[at + 2 + i]
		local clock = h[CLOCKS][window]
		if clock then h[CLOCKS][window] = clock - ARGV[rates_at + 2 * (n_keys + i)] end
	end
end
refund(5, charges_at)
local opens = ARGV[5] ~= ''
local record = opens and ARGV[10] == '1' and live_record(KEYS[#KEYS]) or ''
local changed = record ~= ARGV[11]
if not opens or changed then
	h[FAILURES], h[LAST] = failures, last
	save(KEYS[1], h)
	if changed then return { CHANGED, now, record } end
	return { VERIFIED, now, since or 0 }
end
clear(h)
match[USED], match[BROWSER], match[SESSION] = now, browser, ARGV[5]
refund(5 + n_keys, rates_at + 2 * (n_keys + n_windows))
save(KEYS[1], h)
if not since then
	since = now
	redis.call('SET', KEYS[2], since)
end
keep_session(KEYS[3], {
	sealed = ARGV[6], refresh = ARGV[7], lifetime = tonumber(ARGV[8]), created = now, since = since, owner = ARGV[9], used = now,
})
if ARGV[9] ~= '' then
	local ends = now + ARGV[8]
	redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now)
	redis.call('ZADD', KEYS[4], ends, ARGV[5])
	outlive(KEYS[4], ends)
end
return { VERIFIED, now, since }
