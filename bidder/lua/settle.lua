-- Gives back what a worker did not use of its lease.
--
-- KEYS  1 budget of the campaign   2 of the line item   3 of the line item's day (of the campaign again where none limits)
--       4 leases of the campaign   5 ends of the leases
-- ARGV  1 name of the lease   2 micros given back   3 '1' where a daily budget limits
-- Returns the micros that were given back: never more than the lease still holds, 0 after it was reaped.
-- What is left of the lease is reserved by bids under way; their notices or the reap free it.

local held = tonumber(redis.call('HGET', KEYS[4], ARGV[1]) or 0)
local back = math.min(held, tonumber(ARGV[2]))
if back > 0 then
  redis.call('HINCRBY', KEYS[1], 'out', -back)
  redis.call('HINCRBY', KEYS[2], 'out', -back)
  if ARGV[3] == '1' then redis.call('HINCRBY', KEYS[3], 'out', -back) end
  redis.call('HINCRBY', KEYS[4], ARGV[1], -back)
end
if held - back <= 0 then
  redis.call('HDEL', KEYS[4], ARGV[1])
  redis.call('ZREM', KEYS[5], ARGV[1])
end
return back
