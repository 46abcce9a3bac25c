-- Reads who is asked for: all requests of one tick in one call.
--
-- KEYS  none: what is asked for and answered is packed, since a client takes longer for each argument than Redis does for a look-up
-- ARGV  1 prefix of profile keys   2 prefix of caps keys   3 the identifiers, 36 characters each, in the order in which each
--       person's are tried, person after person   4 for each person one character: the number of their identifiers, '1' to '9';
--       where no profile may be read 'a' to 'i'
-- Returns for each person: a byte with the position of the identifier that counts (from 1); a byte with the number of profile
-- values; UInt16 with the number of caps fields; each value after its length in UInt32; each field and its count after a byte with
-- their length. All little endian.
-- The first identifier with a profile counts, else the first. All identifiers are the same person's: of each profile that they
-- lead to there is one value, that of the identifier that counts first; and the caps of all anchors are listed, those of
-- identifiers without a profile under the identifier itself. A field may be listed more than once: its counts add up. Reads only.

local profiles, caps, identifiers, counts = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local SIZE, ZERO, NONE = 36, 48, 96
local UUID = '%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x'
local parts = {}
local first = 1
for person = 1, #counts do
  local count = string.byte(counts, person)
  local reads = count < NONE
  local size = count - (reads and ZERO or NONE)
  local position, values, anchors, seen = 1, {}, {}, {}
  for i = 1, size do
    local anchor = string.sub(identifiers, first, first + SIZE - 1)
    first = first + SIZE
    local value = reads and redis.call('GET', profiles .. anchor)
    if value and #value >= 22 and string.byte(value, 1) <= 3 then
      local id = string.sub(value, 7, 22)
      if #values == 0 then position = i end
      if not seen[id] then
        seen[id] = true
        values[#values + 1] = value
      end
      anchor = string.format(UUID, string.byte(id, 1, 16))
    end
    if not seen[anchor] then
      seen[anchor] = true
      anchors[#anchors + 1] = anchor
    end
  end
  local head = #parts + 1
  parts[head] = ''
  for _, value in ipairs(values) do
    parts[#parts + 1] = struct.pack('<I4', #value)
    parts[#parts + 1] = value
  end
  local fields = 0
  for _, anchor in ipairs(anchors) do
    local items = redis.call('HGETALL', caps .. anchor)
    for i = 1, #items, 2 do
      if #items[i] < 256 and #items[i + 1] < 256 and fields < 65535 then
        fields = fields + 1
        parts[#parts + 1] = string.char(#items[i]) .. items[i] .. string.char(#items[i + 1]) .. items[i + 1]
      end
    end
  end
  parts[head] = struct.pack('<BBI2', position, #values, fields)
end
return table.concat(parts)
