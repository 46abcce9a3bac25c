-- Counts what happened to a person: of each leaf of a rule the times of its newest events.
--
-- KEYS  1 hash of the person's counters
-- ARGV  1 seconds after which nobody asks for them any more   2 how many events each leaf remembers
--       then for each event: the leaf, what counts once (a digest), epoch ms
-- Returns all fields of the hash by turns: leaf, and its events as `<ms> <digest>` separated by commas, newest first.
--
-- An event that comes again is counted once, with its latest time. Scripts are atomic.

local life, most = ARGV[1], tonumber(ARGV[2])
for at = 3, #ARGV, 3 do
  local leaf, once, time = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local events = {}
  for other, digest in string.gmatch(redis.call('HGET', KEYS[1], leaf) or '', '(%d+) (%x+)') do
    if digest ~= once then
      events[#events + 1] = { tonumber(other), digest }
    elseif tonumber(other) > time then
      time = tonumber(other)
    end
  end
  events[#events + 1] = { time, once }
  table.sort(events, function(a, b) return a[1] > b[1] end)
  local texts = {}
  for place = 1, math.min(#events, most) do
    texts[place] = string.format('%.0f %s', events[place][1], events[place][2])
  end
  redis.call('HSET', KEYS[1], leaf, table.concat(texts, ','))
end
redis.call('EXPIRE', KEYS[1], life)
return redis.call('HGETALL', KEYS[1])
