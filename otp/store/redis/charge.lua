-- On a Cluster a bucket that isn't in its handle's shard is charged by itself,
-- before the handle's script runs.
-- KEYS  buckets of one shard
-- ARGV  the charges
local clocks = redis.call('MGET', unpack(KEYS))
local refused, wait = advance(clocks, #KEYS, 3)
if refused > 0 then return { THROTTLED, now, wait, refused } end
local accepted = { ACCEPTED, now }
for i, key in ipairs(KEYS) do
	keep(key, clocks[i])
	accepted[2 + i] = clocks[i] - now
end
return accepted
