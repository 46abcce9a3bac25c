-- Leases slices of the budgets of a campaign's line items to one worker, takes back what it did not use, and lets it keep for
-- longer what it has not touched: all in one call, since most line items are seldom bid.
--
-- KEYS  1 budget of the campaign     hash: spent, out (micros of cost)
--       2 leases of the campaign     hash: <line item>/<lease> -> micros still held
--       3 ends of the leases         sorted set of the same names by the time (ms) from which they are reaped
--       then for each entry the budget of its line item, and that of its day (the campaign's again where none limits)
-- ARGV  1 limit of the campaign, or ''   2 among how many the rest is shared   3 seconds that days' budgets are kept
--       4 ms that a lease is kept beyond its life
--       then for each entry
--         1 way: back, ask, extend   2 name of the lease
--         3 micros: back: given back; ask: wanted; extend: granted, of which nothing was used
--         4 micros needed for one bid   5 limit of the line item, or ''   6 limit of the day, or ''   7 life, ms
-- Returns for each entry the micros given back (never more than the lease still holds), granted, or extended (0: not); then the
-- clock of Redis, ms.
-- Always true: spent + out <= limit in each hash at the moment of a grant. If the worker dies after it, the reap gives the
-- rest back at the lease's end. Time is the clock of Redis, so that workers need not agree. What is left of a lease that was given
-- back is reserved by bids under way; their notices or the reap free it.

local campaign, leases, ends = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept = tonumber(ARGV[4])

local function room(key, limit)
  if limit == '' then return math.huge end
  local budget = redis.call('HMGET', key, 'spent', 'out')
  return tonumber(limit) - tonumber(budget[1] or 0) - tonumber(budget[2] or 0)
end

local function free(line, day, lineLimit, dayLimit)
  return math.min(room(campaign, ARGV[1]), room(line, lineLimit), room(day, dayLimit))
end

local function add(line, day, micros)
  redis.call('HINCRBY', campaign, 'out', micros)
  redis.call('HINCRBY', line, 'out', micros)
  if day ~= campaign then redis.call('HINCRBY', day, 'out', micros) end
end

local function back(line, day, name, micros)
  local held = tonumber(redis.call('HGET', leases, name) or 0)
  local given = math.min(held, micros)
  if given > 0 then
    add(line, day, -given)
    redis.call('HINCRBY', leases, name, -given)
  end
  if held - given <= 0 then
    redis.call('HDEL', leases, name)
    redis.call('ZREM', ends, name)
  end
  return given
end

local function ask(line, day, name, want, need, rest, life)
  -- Near the end of a budget one worker must not hold it all, nor so little that nobody can bid.
  local share = math.max(need, math.floor(rest / tonumber(ARGV[2])))
  local granted = math.min(want, share, rest)
  if granted <= 0 then return 0 end
  add(line, day, granted)
  if day ~= campaign then redis.call('EXPIRE', day, ARGV[3]) end
  redis.call('HSET', leases, name, granted)
  redis.call('ZADD', ends, now + life + kept, name)
  return granted
end

-- Only while there is plenty: near the end of a budget nobody sits on what others need.
local function extend(name, granted, rest, life)
  if tonumber(redis.call('HGET', leases, name) or 0) ~= granted then return 0 end
  if rest < granted * tonumber(ARGV[2]) then return 0 end
  redis.call('ZADD', ends, 'XX', now + life + kept, name)
  return granted
end

local results = {}
local key = 4
for at = 5, #ARGV, 7 do
  local line, day = KEYS[key], KEYS[key + 1]
  local way, name, micros, life = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 6])
  local result
  if way == 'back' then
    result = back(line, day, name, micros)
  else
    local rest = free(line, day, ARGV[at + 4], ARGV[at + 5])
    if way == 'ask' then
      result = ask(line, day, name, micros, tonumber(ARGV[at + 3]), rest, life)
    else
      result = extend(name, micros, rest, life)
    end
  end
  results[#results + 1] = result
  key = key + 2
end
results[#results + 1] = now
return results
