-- Consumes a token.
-- KEYS: the family. ARGV: the call, the time, the id, the time to record.
-- Returns 1 if it consumed the token, or 0.
local family, id, time = KEYS[1], ARGV[3], tonumber(ARGV[2])
local now = redis.call('HMGET', family, 'expires', 'revoked', id .. ':e', id .. ':c', id .. ':k')
if now[5] == ARGV[1] then
  return 1 -- by this call, whose answer was lost
end
if not now[1] or now[2] or not now[3] or now[4] then
  return 0
end
if tonumber(now[1]) <= time or tonumber(now[3]) <= time then
  return 0
end
redis.call('HSET', family, id .. ':c', ARGV[4], id .. ':k', ARGV[1])
return 1
