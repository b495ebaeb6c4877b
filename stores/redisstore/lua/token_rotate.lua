-- Consumes a parent and stores its child.
-- KEYS: the family, the ends of its members.
-- ARGV: 1 the call; 2 the time; 3 the time to record; 4 the parent; 5 the child, 6
-- its record, 7 when it expires, 8 when it was consumed, 9 when it was last used, 10
-- when it was delivered; 11 members that expired before this time are deleted.
-- Returns a value of stores.Rotated, or EXISTS.
local DEAD, USED, DONE, EXISTS = 0, 1, 2, 3
local family, ends, parent, child, time = KEYS[1], KEYS[2], ARGV[4], ARGV[5], tonumber(ARGV[2])
local now = redis.call('HMGET', family, 'expires', 'revoked',
  parent .. ':e', parent .. ':c', parent .. ':k', child .. ':t')
if now[5] == ARGV[1] then
  return DONE -- by this call, whose answer was lost
end
if not now[1] or now[2] or not now[3] or tonumber(now[1]) <= time then
  return DEAD
end
if now[4] then
  return USED
end
if tonumber(now[3]) <= time then
  return DEAD
end
if now[6] then
  return EXISTS
end
-- This can fail, so it comes first: a script that fails does not undo what it has
-- done.
redis.call('ZADD', ends, ARGV[7], child)
redis.call('HSET', family, parent .. ':c', ARGV[3], parent .. ':k', ARGV[1],
  child .. ':t', ARGV[6], child .. ':e', ARGV[7])
if ARGV[8] ~= '0' then
  redis.call('HSET', family, child .. ':c', ARGV[8])
end
if ARGV[9] ~= '0' then
  redis.call('HSET', family, child .. ':u', ARGV[9])
end
if ARGV[10] ~= '0' then
  redis.call('HSET', family, child .. ':d', ARGV[10])
end
spend(family, ends, parent)
trim(family, ends, tonumber(ARGV[11]))
redis.call('PEXPIRE', ends, math.max(redis.call('PTTL', family), 1))
return DONE
