-- Adds a session to its owner's index, or prolongs its entry.
-- KEYS: the index. ARGV: 1 the row; 2 until when it is listed, in microseconds; 3 how
-- much longer the key lives than its entries, in milliseconds; 4 how many entries the
-- owner may have, or 0 for any number; 5 how many entries to return at most.
-- Returns the entries that were listed longest ago, each with until when it is listed,
-- if the owner has too many, or else nothing.
local index, most = KEYS[1], tonumber(ARGV[4])
redis.call('ZREMRANGEBYSCORE', index, '-inf', whole(clock() * 1000 - tonumber(ARGV[3]) * 1000))
local listed = redis.call('ZSCORE', index, ARGV[1])
if not listed or tonumber(listed) < tonumber(ARGV[2]) then
  redis.call('ZADD', index, ARGV[2], ARGV[1])
end
local last = redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')[2]
redis.call('PEXPIREAT', index, whole(math.ceil(tonumber(last) / 1000) + tonumber(ARGV[3])))
if most == 0 or redis.call('ZCARD', index) <= most then
  return {}
end
return redis.call('ZRANGE', index, 0, tonumber(ARGV[5]) - 1, 'WITHSCORES')
