-- Reads who is asked for: all requests of one tick in one call.
--
-- KEYS  profile keys of the identifiers, in the order in which each person's are tried, person after person
-- ARGV  1 prefix of profile keys   2 prefix of caps keys   3… for each person the number of their identifiers (>= 1), negative
--       where no profile may be read
-- Returns for each person { position of the identifier that counts (from 1), profile values, caps hashes as one flat list }.
-- The first identifier with a profile counts, else the first. All identifiers are the same person's: of each profile that they
-- lead to there is one value, that of the identifier that counts first; and the caps of all anchors are listed, those of
-- identifiers without a profile under the identifier itself. A field may be listed more than once: its counts add up. Reads only.

local profiles, caps = ARGV[1], ARGV[2]
local skip = #profiles + 1
local persons = {}
local first = 0
for at = 3, #ARGV do
  local count = tonumber(ARGV[at])
  local size = math.abs(count)
  local position, values, anchors, seen = 1, {}, {}, {}
  for i = 1, size do
    local anchor = string.sub(KEYS[first + i], skip)
    local value = count > 0 and redis.call('GET', KEYS[first + i])
    if value and #value >= 22 and string.byte(value, 1) <= 2 then
      local id = string.sub(value, 7, 22)
      if #values == 0 then position = i end
      if not seen[id] then
        seen[id] = true
        values[#values + 1] = value
      end
      anchor = string.format('%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x', string.byte(id, 1, 16))
    end
    if not seen[anchor] then
      seen[anchor] = true
      anchors[#anchors + 1] = anchor
    end
  end
  local counts = redis.call('HGETALL', caps .. anchors[1])
  for i = 2, #anchors do
    for _, item in ipairs(redis.call('HGETALL', caps .. anchors[i])) do counts[#counts + 1] = item end
  end
  persons[#persons + 1] = { position, values, counts }
  first = first + size
end
return persons
