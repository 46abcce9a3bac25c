-- Leases a slice of a line item's budget to one worker.
--
-- KEYS  1 budget of the campaign     hash: spent, out (micros of cost)
--       2 budget of the line item
--       3 budget of the line item's day (of the campaign again where no daily budget limits)
--       4 leases of the campaign     hash: <line item>/<lease> -> micros still held
--       5 ends of the leases         sorted set of the same names by the time (ms) from which they are reaped
-- ARGV  1 micros wanted   2 micros needed for one bid   3 among how many the rest is shared
--       4 limit of the campaign, or ''   5 limit of the line item, or ''   6 limit of the day, or ''
--       7 name of the lease   8 ms until it is reaped   9 seconds that the day's budget is kept
-- Returns the micros granted, 0 for none.
-- Always true: spent + out <= limit in each hash at the moment of the grant. If the worker dies after it, the reap gives the
-- rest back at the lease's end. Time is the clock of Redis, so that workers need not agree.

local function room(key, limit)
  if limit == '' then return math.huge end
  local budget = redis.call('HMGET', key, 'spent', 'out')
  return tonumber(limit) - tonumber(budget[1] or 0) - tonumber(budget[2] or 0)
end

local free = math.min(room(KEYS[1], ARGV[4]), room(KEYS[2], ARGV[5]), room(KEYS[3], ARGV[6]))
-- Near the end of a budget one worker must not hold it all, nor so little that nobody can bid.
local share = math.max(tonumber(ARGV[2]), math.floor(free / tonumber(ARGV[3])))
local granted = math.min(tonumber(ARGV[1]), share, free)
if granted <= 0 then return 0 end

redis.call('HINCRBY', KEYS[1], 'out', granted)
redis.call('HINCRBY', KEYS[2], 'out', granted)
if ARGV[6] ~= '' then
  redis.call('HINCRBY', KEYS[3], 'out', granted)
  redis.call('EXPIRE', KEYS[3], ARGV[9])
end
local time = redis.call('TIME')
redis.call('HSET', KEYS[4], ARGV[7], granted)
redis.call('ZADD', KEYS[5], time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[8]), ARGV[7])
return granted
