-- Writes profile values, each where it is newer than what is there.
--
-- KEYS  1 the last sequence that was given out
-- ARGV  1 prefix of profile keys   2 sequence of all values   3 seconds after which they are forgotten, 0: never
--       4 '1': whatever is there (a mark that nothing may be used)   5 epoch seconds now
--       6 for each streamed membership that may be superseded 8 bytes: UInt32 segment, UInt32 until which second of adding the published
--         memberships know of it; both little endian
--       7 packed, person after person: a byte with the number of identifiers, those (36 characters each), UInt16 with the length of the
--         value, the value; see proto/profile.ts
-- Returns how many were written, and how many were not since a newer value is there.
--
-- A value with a sequence that was never given out is damaged, and is replaced. Streamed memberships that are there stay until they end
-- or are superseded, unless the new value has consent bits. A script is atomic: each value is the old or the new one.

local prefix, sequence, life, force, now, known, packed = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4] == '1', tonumber(ARGV[5]), ARGV[6], ARGV[7]
local newest = tonumber(redis.call('GET', KEYS[1]) or '0')
local HEADER, STREAMED, ENTRY = 35, 35, 16
local superseded = {}
for at = 1, #known, 8 do
  local segment, upTo = struct.unpack('<I4I4', known, at)
  superseded[segment] = upTo
end

-- The streamed memberships of the old value that still count, as bytes.
local function kept(key)
  local old = redis.call('GET', key)
  local entries = {}
  for at = HEADER + 1, HEADER + string.byte(old, STREAMED) * ENTRY, ENTRY do
    if at + ENTRY - 1 > #old then return {} end
    local segment, _, added, ends = struct.unpack('<I4I4I4I4', old, at)
    if ends > now and added > (superseded[segment] or 0) then entries[#entries + 1] = string.sub(old, at, at + ENTRY - 1) end
  end
  return entries
end

local written, late = 0, 0
local at = 1
while at <= #packed do
  local first = at + 1
  local after = first + string.byte(packed, at) * 36
  local length = struct.unpack('<I2', packed, after)
  local value = string.sub(packed, after + 2, after + 1 + length)
  at = after + 2 + length
  for start = first, after - 1, 36 do
    local key = prefix .. string.sub(packed, start, start + 35)
    local old = redis.call('GETRANGE', key, 0, HEADER - 1)
    local mine = value
    local isLate = false
    if #old == HEADER and string.byte(old, 1) == 3 then
      local before = struct.unpack('<I8', old, 27)
      isLate = not force and before > sequence and before <= newest
      if not isLate and string.byte(old, STREAMED) > 0 and string.byte(value, 2) == 0 and string.byte(old, 2) == 0 then
        local entries = kept(key)
        mine = string.sub(value, 1, HEADER - 1) .. string.char(#entries) .. table.concat(entries) .. string.sub(value, HEADER + 1)
      end
    end
    if isLate then
      late = late + 1
    else
      if life == '0' then redis.call('SET', key, mine) else redis.call('SET', key, mine, 'EX', life) end
      written = written + 1
    end
  end
end
return { written, late }
