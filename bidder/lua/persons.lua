-- Reads who is asked for: all requests of one tick in one call.
--
-- KEYS  profile keys of the identifiers, in the order in which each person's are tried, person after person
-- ARGV  1 prefix of profile keys   2 prefix of caps keys   3… for each person the number of their identifiers (>= 1), negative
--       where no profile may be read
-- Returns for each person { position of the identifier that counts (from 1), profile value or nil, caps hash as a flat list }.
-- The first identifier with a profile counts, else the first. Caps are kept under the profile's anchor, or, where there is none
-- or none may be read, under the identifier itself. Reads only.

local persons = {}
local first = 0
for at = 3, #ARGV do
  local count = tonumber(ARGV[at])
  local position, profile = 1, false
  -- Runs not at all where the count is negative.
  for i = 1, count do
    local value = redis.call('GET', KEYS[first + i])
    if value and #value >= 22 and string.byte(value, 1) <= 2 then
      position, profile = i, value
      break
    end
  end
  local anchor = string.sub(KEYS[first + position], #ARGV[1] + 1)
  if profile then
    local hex = {}
    for i = 7, 22 do hex[#hex + 1] = string.format('%02x', string.byte(profile, i)) end
    local all = table.concat(hex)
    anchor = table.concat({ string.sub(all, 1, 8), string.sub(all, 9, 12), string.sub(all, 13, 16), string.sub(all, 17, 20),
      string.sub(all, 21) }, '-')
  end
  persons[#persons + 1] = { position, profile, redis.call('HGETALL', ARGV[2] .. anchor) }
  first = first + math.abs(count)
end
return persons
