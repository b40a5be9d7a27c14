-- KEYS  handle, account, session; the charges' buckets; the refunds' buckets
-- ARGV  group, 1 for a link, browser, 1 where the account must be known;
--       session id, its value's parts: sealed, refresh, lifetime;
--       how many tags, the tags; the charges; the refunds
local group, is_link, browser = ARGV[1], ARGV[2] == '1', ARGV[3]
local n_tags = tonumber(ARGV[9])
local charges_at = 10 + n_tags
local n_keys, n_fields = tonumber(ARGV[charges_at]), tonumber(ARGV[charges_at + 1])
local names_at = charges_at + 2
local rates_at = names_at + n_fields
local tag_at = is_link and LINK or CODE

local function matches(c)
	local kept = c[tag_at]
	if kept == '' then return false end
	local equal = false
	for i = 10, 9 + n_tags do
		if ARGV[i] == kept then equal = true end
	end
	return equal
end

local hash = redis.call('HMGET', KEYS[1], 'c', 'f', 'l', 'x', unpack(ARGV, names_at, rates_at - 1))
local challenges = unpack_challenges(hash[1])
local expires = tonumber(hash[4]) or 0

-- 1. The charges. A handle that was never started gets no clocks.
local clocks = n_keys > 0 and redis.call('MGET', unpack(KEYS, 4, 3 + n_keys)) or {}
for i = 1, n_fields do clocks[n_keys + i] = hash[4 + i] end
local refused, wait = advance(clocks, n_keys + n_fields, rates_at)
if refused > 0 then return { THROTTLED, now, wait, refused } end
for i = 1, n_keys do keep(KEYS[3 + i], clocks[i]) end
if n_fields > 0 and expires > 0 then
	local set = {}
	for i = 1, n_fields do
		set[#set + 1] = ARGV[names_at + i - 1]
		set[#set + 1] = clocks[n_keys + i]
		expires = math.max(expires, milliseconds(clocks[n_keys + i]))
	end
	redis.call('HSET', KEYS[1], 'x', expires, unpack(set))
	redis.call('PEXPIREAT', KEYS[1], expires)
end

-- 2. The same again, by the browser that had it right before.
if browser ~= '' then
	for _, c in ipairs(challenges) do
		if c[USED] > 0 and now - c[USED] <= REPEAT_WINDOW and c[BROWSER] == browser and matches(c) then
			-- The session is in the handle's shard, so its name differs from
			-- the new one's only in the id.
			local key = string.sub(KEYS[3], 1, -1 - #ARGV[5]) .. c[SESSION]
			local s = live_session(key)
			if s then
				return { REPEATED, now, c[SESSION], s.sealed, s.refresh, s.lifetime, s.created, s.since }
			end
		end
	end
end

-- 3. The cool-down.
local failures, last = consecutive(hash[2], hash[3])
wait = cooling(failures, last)
if not is_link and wait > 0 then return { COOLING_DOWN, now, wait } end

-- 4. and 7. Why a guess is refused.
local function refusal()
	local newest
	for _, c in ipairs(challenges) do
		if not is_forgotten(c) then
			if c[USED] == 0 and now >= c[EXPIRES] and matches(c) then return { EXPIRED, now } end
			if c[GROUP] == group then newest = newest or c end
		end
	end
	if newest and newest[USED] == 0 and newest[ATTEMPTS] >= newest[LIMIT] then return { EXHAUSTED, now } end
	return { WRONG, now }
end

local live = {}
for _, c in ipairs(challenges) do
	if is_live(c) then live[#live + 1] = c end
end
if #live == 0 then return refusal() end

-- 5. Count, in the database, before anything is compared: a server that takes
-- no writes ends the script here.
for _, c in ipairs(live) do c[ATTEMPTS] = c[ATTEMPTS] + 1 end
local remembered = math.max(expires, milliseconds(now + DISABLED_FOR))
redis.call('HSET', KEYS[1], 'c', cmsgpack.pack(challenges), 'f', failures + 1, 'l', now, 'x', remembered)

local match
for _, c in ipairs(live) do
	match = match or (matches(c) and c)
end
local since = tonumber(redis.call('GET', KEYS[2]))
if not match or (ARGV[4] == '1' and not since) then
	redis.call('PEXPIREAT', KEYS[1], remembered)
	return refusal()
end

-- 6. A match.
for _, c in ipairs(live) do c[ATTEMPTS] = c[ATTEMPTS] - 1 end
match[USED], match[BROWSER], match[SESSION] = now, browser, ARGV[5]
if not since then
	since = now
	redis.call('SET', KEYS[2], since)
end
local function refund(first_key, n_keys, n_fields, names_at)
	local rates_at = names_at + n_fields
	for i = 1, n_keys do
		give_back(KEYS[first_key + i - 1], ARGV[rates_at + 2 * i - 2])
	end
	for i = 1, n_fields do
		local field, interval = ARGV[names_at + i - 1], ARGV[rates_at + 2 * (n_keys + i) - 2]
		local clock = tonumber(redis.call('HGET', KEYS[1], field))
		if clock then redis.call('HSET', KEYS[1], field, math.max(now, clock - interval)) end
	end
end
redis.call('HSET', KEYS[1], 'c', cmsgpack.pack(challenges), 'f', 0, 'l', 0, 'x', expires)
refund(4, n_keys, n_fields, names_at)
local refunds_at = rates_at + 2 * (n_keys + n_fields)
refund(4 + n_keys, tonumber(ARGV[refunds_at]), tonumber(ARGV[refunds_at + 1]), refunds_at + 2)
keep_session(KEYS[3], { sealed = ARGV[6], refresh = ARGV[7], lifetime = tonumber(ARGV[8]), created = now, since = since })
return { VERIFIED, now, since }
