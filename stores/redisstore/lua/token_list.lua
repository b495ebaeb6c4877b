-- Adds a family to its owner's index, and counts the families of its kind.
-- KEYS: the index. ARGV: 1 the member; 2 until when it is listed, in microseconds, and 3
-- for how long from now at least; 4 how much longer the key lives than its members, in
-- milliseconds; 5 the end of the members of its kind; 6 how many of them there may be.
-- Returns the server's time in milliseconds and, if there are too many members of the
-- kind, those that expire first, each followed by until when it is listed.
local index, kind = KEYS[1], ARGV[5]
local now = clock()
redis.call('ZREMRANGEBYSCORE', index, '-inf', whole(now * 1000 - tonumber(ARGV[4]) * 1000))
local ends = math.max(tonumber(ARGV[2]), now * 1000 + tonumber(ARGV[3]))
redis.call('ZADD', index, whole(ends), ARGV[1])
local last = redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')[2]
redis.call('PEXPIREAT', index, whole(math.ceil(tonumber(last) / 1000) + tonumber(ARGV[4])))
local answer = { whole(now) }
if redis.call('ZCARD', index) > tonumber(ARGV[6]) then
  local members = ofkind(index, kind)
  if #members > 2 * tonumber(ARGV[6]) then
    for i = 1, math.min(#members, 2 * (tonumber(ARGV[6]) + MAX_ENDED)) do
      answer[i + 1] = members[i]
    end
  end
end
return answer
