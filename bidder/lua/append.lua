-- Writes ad events to their stream, in one command: a client takes longer for each of many commands than Redis for an entry.
--
-- KEYS  1 stream of ad events
-- ARGV  the events, JSON
-- Returns how many were written. Cut off by an error (no memory) some may be; an event is known by (type, bid), so that all are
-- written again changes nothing.

for _, event in ipairs(ARGV) do redis.call('XADD', KEYS[1], '*', 'e', event) end
return #ARGV
