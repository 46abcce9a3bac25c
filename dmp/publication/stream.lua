-- Adds memberships to profile values as events arrive.
--
-- KEYS  1 sorted set of identifiers that were added to, by epoch seconds   2 the state of the publication
-- ARGV  1 prefix of profile keys   2 epoch seconds now, by the caller's clock   3 channel on which changed identifiers are told
--       4 packed, one after the other: identifier (36 characters); a byte, '1' where the event named it (it may be made), else '0'; UInt32
--         segment; UInt32 end, epoch seconds; little endian
-- Returns how many were added or made longer, how many identifiers got a first value, how many were refused (nothing may be added to
-- the person, or it has too many).
--
-- Who is not known gets a value of profile 0 that is its own anchor, as the bidder takes it, and ends with its last membership. That is
-- only made while the state of a publication is there: a Redis that lost everything does not know who opted out. Scripts are atomic.

local prefix, now, channel, packed = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local HEADER, STREAMED, ENTRY, MOST = 35, 35, 16, 64
local time = redis.call('TIME')
-- By the clock of the sequences, rounded up: what is evaluated in the same second does not count as later.
local added = tonumber(time[1]) + 1
local mayMake = redis.call('HEXISTS', KEYS[2], 'full') == 1

local function madeFor(identifier)
  local anchor = string.gsub(string.gsub(identifier, '-', ''), '%x%x', function(pair) return string.char(tonumber(pair, 16)) end)
  return struct.pack('<BBI4', 3, 0, 0) .. anchor .. struct.pack('<I4I8B', math.floor(now / 3600), 0, 0)
end

local count, made, refused = 0, 0, 0
local changed = {}
for at = 1, #packed, 45 do
  local identifier = string.sub(packed, at, at + 35)
  local isNamed = string.sub(packed, at + 36, at + 36) == '1'
  local segment, ends = struct.unpack('<I4I4', packed, at + 37)
  local key = prefix .. identifier
  local value = redis.call('GET', key)
  local isNew = false
  if not value and isNamed and mayMake then
    value = madeFor(identifier)
    isNew = true
  elseif value and #value >= 26 and string.byte(value, 1) == 2 then
    value = '\3' .. string.sub(value, 2, 26) .. struct.pack('<I8B', 0, 0) .. string.sub(value, 27)
  end
  local isOpen = value and #value >= HEADER and string.byte(value, 1) == 3 and string.byte(value, 2) == 0
  local size = isOpen and string.byte(value, STREAMED) or 0
  if not isOpen or HEADER + size * ENTRY > #value then
    refused = refused + 1
  else
    local rest = string.sub(value, HEADER + size * ENTRY + 1)
    local entries, last = {}, ends
    local since, longer = added, true
    for entry = HEADER + 1, HEADER + size * ENTRY, ENTRY do
      local other, otherSince, otherAdded, otherEnds = struct.unpack('<I4I4I4I4', value, entry)
      if other == segment and otherEnds > now then
        since = otherSince
        if otherEnds > ends then ends = otherEnds end
      elseif otherEnds > now then
        entries[#entries + 1] = string.sub(value, entry, entry + ENTRY - 1)
      end
      if otherEnds > last then last = otherEnds end
    end
    if ends > last then last = ends end
    if #entries >= MOST then
      refused = refused + 1
    else
      entries[#entries + 1] = struct.pack('<I4I4I4I4', segment, since, added, ends)
      value = string.sub(value, 1, HEADER - 1) .. string.char(#entries) .. table.concat(entries) .. rest
      if string.sub(value, 3, 6) == '\0\0\0\0' and struct.unpack('<I8', value, 27) == 0 then
        redis.call('SET', key, value, 'EX', math.max(1, last - now))
      else
        redis.call('SET', key, value, 'KEEPTTL')
      end
      redis.call('ZADD', KEYS[1], added, identifier)
      count = count + 1
      if isNew then made = made + 1 end
      changed[#changed + 1] = identifier
    end
  end
end
if #changed > 0 then redis.call('PUBLISH', channel, table.concat(changed)) end
return { count, made, refused }
