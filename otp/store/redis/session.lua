-- A session is one packed value.

-- live_session returns the session kept under a key, or nil.
local function live_session(key)
	local packed = redis.call('GET', key)
	if not packed then return nil end
	local sealed, refresh, lifetime, created, since, owner, used = unpack(cmsgpack.unpack(packed))
	if now >= created + lifetime then return nil end
	-- Older ones have no owner, or no last use.
	return {
		sealed = sealed, refresh = refresh, lifetime = lifetime, created = created, since = since,
		owner = owner or '', used = used or created,
	}
end

local function keep_session(key, s)
	local packed = cmsgpack.pack({ s.sealed, s.refresh, s.lifetime, s.created, s.since, s.owner, s.used })
	redis.call('SET', key, packed, 'PXAT', milliseconds(s.created + s.lifetime))
end
