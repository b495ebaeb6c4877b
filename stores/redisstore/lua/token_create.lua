-- Stores a token, and the root of its family if there is none.
-- KEYS: the family, the ends of its members.
-- ARGV: 1 the call; 2 the id; 3 the record; 4 when the token expires; 5 when it was
-- consumed; 6 when it was last used; 7 kind, 8 owner and 9 expiry of the root; 10
-- when the keys expire, and 11 how long from now they live at least, in
-- milliseconds; 12 members that expired before this time are deleted; 13 when the
-- family was listed, in milliseconds by the server's clock, and 14 how much later it
-- may be now.
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
if ARGV[13] ~= '' and clock() - tonumber(ARGV[13]) > tonumber(ARGV[14]) then
  return LATE
end
trim(family, ends, tonumber(ARGV[12]))
redis.call('HSET', family, id .. ':t', ARGV[3], id .. ':e', ARGV[4], id .. ':n', ARGV[1])
redis.call('ZADD', ends, ARGV[4], id)
if ARGV[5] ~= '0' then
  redis.call('HSET', family, id .. ':c', ARGV[5])
end
if ARGV[6] ~= '0' then
  redis.call('HSET', family, id .. ':u', ARGV[6])
end
if now[1] then
  redis.call('PEXPIRE', ends, math.max(redis.call('PTTL', family), 1))
  return CREATED
end
redis.call('HSET', family, 'kind', ARGV[7], 'owner', ARGV[8], 'expires', ARGV[9])
local last = whole(math.max(tonumber(ARGV[10]), clock() + tonumber(ARGV[11])))
redis.call('PEXPIREAT', family, last)
redis.call('PEXPIREAT', ends, last)
return CREATED
