-- Says when a campaign is to be looked at again for ended leases, unless somebody who leased meanwhile said so.
--
-- KEYS  1 campaigns that have leases   sorted set by the time (ms) of the next look
-- ARGV  1 campaign   2 the time that the caller set when it began to look   3 time of the next look, or '': it has no leases
-- Returns 1 where it was set. If the caller dies before this, the campaign is looked at again at the time that it set.

if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or -1) ~= tonumber(ARGV[2]) then return 0 end
if ARGV[3] == '' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
end
return 1
