-- Gives back what is left of a campaign's ended leases: their workers died, or the fate of their bids was never told.
--
-- KEYS  1 budget of the campaign; the budgets of its line items and days are <1>:<line item> and <1>:<line item>:<day>
--         (same slot)
--       2 leases of the campaign   hash: <line item>/<lease> -> micros still held; a lease is named <day or ->.<unique>
--       3 ends of the leases
-- ARGV  1 how many at most
-- Returns { number of leases reaped, micros given back, end of the first of those that go on or '' }.
-- A lease is gone in the same step in which its rest is given back, so nothing is given back twice.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local total = 0
local ended = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, ARGV[1])
for _, name in ipairs(ended) do
  local held = tonumber(redis.call('HGET', KEYS[2], name) or 0)
  local lineItem, day = string.match(name, '^(.-)/(.-)%.')
  if held > 0 then
    redis.call('HINCRBY', KEYS[1], 'out', -held)
    redis.call('HINCRBY', KEYS[1] .. ':' .. lineItem, 'out', -held)
    if day ~= '-' then redis.call('HINCRBY', KEYS[1] .. ':' .. lineItem .. ':' .. day, 'out', -held) end
    total = total + held
  end
  redis.call('HDEL', KEYS[2], name)
  redis.call('ZREM', KEYS[3], name)
end
return { #ended, total, redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')[2] or '' }
