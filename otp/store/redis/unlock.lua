-- KEYS  handle
local h = load(KEYS[1])
if h and h[FAILURES] > 0 then
	clear(h)
	save(KEYS[1], h)
end
return redis.status_reply('OK')
