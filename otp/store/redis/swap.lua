-- KEYS  record
-- ARGV  1 where there must be an old one, old, next, time to live (0: for ever)
local present = live_record(KEYS[1])
if ARGV[1] == '1' then
	if present ~= ARGV[2] then return 0 end
elseif present then
	return 0
end
if ARGV[4] == '0' then
	redis.call('SET', KEYS[1], '0 ' .. ARGV[3])
else
	local expires = now + ARGV[4]
	redis.call('SET', KEYS[1], string.format('%.0f ', expires) .. ARGV[3], 'PXAT', milliseconds(expires))
end
return 1
