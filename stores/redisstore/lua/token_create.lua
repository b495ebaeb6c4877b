-- Stores a token, and the root of its family if there is none.
-- KEYS: the family, the ends of its members.
-- ARGV: 1 the call; 2 the id; 3 the record; 4 when the token expires; 5 when it was
-- consumed; 6 when it was last used; 7 when it was delivered; 8 kind, 9 owner and 10
-- expiry of the root; 11 when the keys expire, and 12 how long from now they live at
-- least, in milliseconds; 13 members that expired before this time are deleted; 14
-- when the family was listed, in milliseconds by the server's clock, and 15 how much
-- later it may be now.
-- Returns REVOKED, CREATED, EXISTS or LATE.
local REVOKED, CREATED, EXISTS, LATE = 0, 1, 2, 3
local family, ends, id = KEYS[1], KEYS[2], ARGV[2]
local now = redis.call('HMGET', family, 'expires', 'revoked', id .. ':t', id .. ':n')
if now[4] == ARGV[1] then
  return CREATED -- by this call, whose answer was lost
end
if now[2] then
  return REVOKED
end
if now[3] then
  return EXISTS
end
if ARGV[14] ~= '' and clock() - tonumber(ARGV[14]) > tonumber(ARGV[15]) then
  return LATE
end
trim(family, ends, tonumber(ARGV[13]))
redis.call('HSET', family, id .. ':t', ARGV[3], id .. ':e', ARGV[4], id .. ':n', ARGV[1])
redis.call('ZADD', ends, ARGV[4], id)
if ARGV[5] ~= '0' then
  redis.call('HSET', family, id .. ':c', ARGV[5])
end
if ARGV[6] ~= '0' then
  redis.call('HSET', family, id .. ':u', ARGV[6])
end
if ARGV[7] ~= '0' then
  redis.call('HSET', family, id .. ':d', ARGV[7])
end
if now[1] then
  redis.call('PEXPIRE', ends, math.max(redis.call('PTTL', family), 1))
  return CREATED
end
redis.call('HSET', family, 'kind', ARGV[8], 'owner', ARGV[9], 'expires', ARGV[10])
local last = whole(math.max(tonumber(ARGV[11]), clock() + tonumber(ARGV[12])))
redis.call('PEXPIREAT', family, last)
redis.call('PEXPIREAT', ends, last)
return CREATED
