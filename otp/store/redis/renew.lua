-- KEYS  session, the shard's revocations
-- ARGV  what to revoke, next; the old tags
local s = live_session(KEYS[1])
if not s or s.refresh == '' then return { NO_SESSION } end
local function answer(verdict)
	return { verdict, s.sealed, s.lifetime, s.created, s.since, s.used, s.refresh }
end
local current = false
for i = 3, #ARGV do
	if ARGV[i] == s.refresh then current = true end
end
if not current then
	revoke(KEYS[2], s.created + s.lifetime - now, ARGV[1])
	redis.call('DEL', KEYS[1])
	return answer(REUSED)
end
s.refresh, s.used = ARGV[2], now
keep_session(KEYS[1], s)
return answer(RENEWED)
