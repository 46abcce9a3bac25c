-- Deletes keys whose value is still what was looked at.
--
-- KEYS  none
-- ARGV  prefix of profile keys, then for each its identifier and the digest (SHA-1, hex) of its value
-- Returns how many were deleted. A script is atomic: what was written meanwhile stays.

local gone = 0
for at = 2, #ARGV, 2 do
  local value = redis.call('GET', ARGV[1] .. ARGV[at])
  if value and redis.sha1hex(value) == ARGV[at + 1] then gone = gone + redis.call('DEL', ARGV[1] .. ARGV[at]) end
end
return gone
