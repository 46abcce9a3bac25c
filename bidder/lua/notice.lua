-- Books one notice: all of it or, if it was booked before, nothing.
--
-- KEYS  1 mark of (bid, event)   2 mark that the bid's reservation is settled   3 stream of ad events
--       4 budget of the campaign   5 of the line item   6 of the line item's day
--       7 leases of the campaign   8 ends of the leases   9 caps of the person
-- ARGV  1 seconds that the marks are kept   2 the ad event, JSON
--       3 micros spent   4 micros reserved for the bid where this event ends the reservation, else 0
--       5 name of the lease, or ''   6 '1' where the lease counts in the day's budget   7 seconds that the day's budget is kept
--       8 line item   9… windows (ms) whose impressions are counted   and after each the number of the window
-- Returns 1 booked, 0 booked before.
-- Scripts are atomic and written to the append-only file whole: mark, money, caps and event are there together or not at all.
-- Spend is booked also after the lease was reaped; then nothing is released, since the reap has released it.

if not redis.call('SET', KEYS[1], 1, 'NX', 'EX', ARGV[1]) then return 0 end

local function add(field, micros, withDay)
  redis.call('HINCRBY', KEYS[4], field, micros)
  redis.call('HINCRBY', KEYS[5], field, micros)
  if withDay then
    redis.call('HINCRBY', KEYS[6], field, micros)
    redis.call('EXPIRE', KEYS[6], ARGV[7])
  end
end

local reserved = tonumber(ARGV[4])
if reserved > 0 and ARGV[5] ~= '' and redis.call('SET', KEYS[2], 1, 'NX', 'EX', ARGV[1]) then
  local held = tonumber(redis.call('HGET', KEYS[7], ARGV[5]) or 0)
  local released = math.min(held, reserved)
  if released > 0 then
    add('out', -released, ARGV[6] == '1')
    redis.call('HINCRBY', KEYS[7], ARGV[5], -released)
  end
  if held > 0 and held == released then
    redis.call('HDEL', KEYS[7], ARGV[5])
    redis.call('ZREM', KEYS[8], ARGV[5])
  end
end

local spent = tonumber(ARGV[3])
if spent > 0 then add('spent', spent, true) end

local longest = 0
for at = 9, #ARGV, 2 do
  local prefix = ARGV[8] .. ':' .. ARGV[at] .. ':'
  local window = tonumber(ARGV[at + 1])
  redis.call('HINCRBY', KEYS[9], prefix .. ARGV[at + 1], 1)
  longest = math.max(longest, tonumber(ARGV[at]))
  -- Counters of windows long past would pile up in the hash of somebody who is seen every day.
  for _, field in ipairs(redis.call('HKEYS', KEYS[9])) do
    if string.sub(field, 1, #prefix) == prefix and tonumber(string.sub(field, #prefix + 1)) < window - 1 then
      redis.call('HDEL', KEYS[9], field)
    end
  end
end
if longest > 0 then
  local seconds = math.ceil(longest * 2 / 1000)
  -- A shorter window of another line item must not shorten the life of the longer one's counter.
  if redis.call('TTL', KEYS[9]) < seconds then redis.call('EXPIRE', KEYS[9], seconds) end
end

redis.call('XADD', KEYS[3], '*', 'e', ARGV[2])
return 1
