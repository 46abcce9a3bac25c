-- Carries the frequency counters of one anchor to another.
--
-- KEYS  1 caps of the anchor that was, 2 caps of the anchor that is
-- ARGV  1 'merge': its counts are added, less what was carried before (fields with '>' before their name say how much);
--         'split': the other has seen at least as much
-- Returns how many counters were carried.
-- Scripts are atomic: it is done whole or not at all, and doing it again carries what came since.

local counts = redis.call('HGETALL', KEYS[1])
local carried = 0
for at = 1, #counts, 2 do
  local field, count = counts[at], tonumber(counts[at + 1])
  if string.sub(field, 1, 1) ~= '>' then
    if ARGV[1] == 'merge' then
      local more = count - tonumber(redis.call('HGET', KEYS[1], '>' .. field) or 0)
      if more > 0 then
        redis.call('HINCRBY', KEYS[2], field, more)
        redis.call('HSET', KEYS[1], '>' .. field, count)
        carried = carried + 1
      end
    elseif count > tonumber(redis.call('HGET', KEYS[2], field) or 0) then
      redis.call('HSET', KEYS[2], field, count)
      -- Should they become one again, these are counted there already.
      redis.call('HSET', KEYS[2], '>' .. field, count)
      carried = carried + 1
    end
  end
end
if carried > 0 then
  local left = redis.call('TTL', KEYS[1])
  if left > redis.call('TTL', KEYS[2]) then redis.call('EXPIRE', KEYS[2], left) end
end
return carried
