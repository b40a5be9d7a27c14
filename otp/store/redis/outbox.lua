-- A message is its fence, when it expires in µs, and what the node that queued
-- it wrote, with blanks between. The queue of a realm and shard is a sorted
-- set of the messages' ids by when each is due.

local function format_message(fence, expires, rest)
	return fence .. string.format(' %.0f ', expires) .. rest
end

local function parse_message(value)
	local fence, expires, rest_at = string.match(value, '^(%d+) (%d+) ()')
	return tonumber(fence), tonumber(expires), string.sub(value, rest_at)
end
