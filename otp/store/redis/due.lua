-- KEYS  queues of one shard
local due = 0
for _, key in ipairs(KEYS) do due = due + redis.call('ZCOUNT', key, '-inf', now) end
return due
