-- Adds a member to its owner's index, or prolongs its entry.
-- KEYS: the index. ARGV: the member; until when it is listed, in microseconds, and
-- for how long from now at least; how much longer the key lives than its members, in
-- milliseconds.
-- Returns the server's time in milliseconds.
local index = KEYS[1]
local now = clock()
redis.call('ZREMRANGEBYSCORE', index, '-inf', whole(now * 1000 - tonumber(ARGV[4]) * 1000))
local ends = math.max(tonumber(ARGV[2]), now * 1000 + tonumber(ARGV[3]))
local listed = redis.call('ZSCORE', index, ARGV[1])
if not listed or tonumber(listed) < ends then
  redis.call('ZADD', index, whole(ends), ARGV[1])
end
local last = redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')[2]
redis.call('PEXPIREAT', index, whole(math.ceil(tonumber(last) / 1000) + tonumber(ARGV[4])))
return whole(now)
