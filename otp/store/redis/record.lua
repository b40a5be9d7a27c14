-- A record is when it expires in µs (0: never), a blank, and its bytes.
local function live_record(key)
	local value = redis.call('GET', key)
	if not value then return nil end
	local expires, at = string.match(value, '^(%d+) ()')
	if expires ~= '0' and now >= tonumber(expires) then return nil end
	return string.sub(value, at)
end
