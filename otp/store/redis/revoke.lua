-- KEYS  the shard's revocations; the session, where it is one
-- ARGV  lifetime, what to revoke
revoke(KEYS[1], tonumber(ARGV[1]), ARGV[2])
if KEYS[2] then redis.call('DEL', KEYS[2]) end
return redis.status_reply('OK')
