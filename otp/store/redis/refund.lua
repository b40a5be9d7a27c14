-- KEYS  buckets of one shard
-- ARGV  the interval of each
for i, key in ipairs(KEYS) do give_back(key, ARGV[i]) end
return redis.status_reply('OK')
