-- Revokes a family.
-- KEYS: the family. ARGV: 1 the call; 2 the time; 3 the time to record; 4 how long a
-- family that does not exist yet cannot be created, in milliseconds, or '0'; 5 the
-- owner that it must have, or ''; then the kinds that it may have, none for any.
-- Returns whether it was alive, and its owner and kind if it is revoked.
local family = KEYS[1]
local now = redis.call('HMGET', family, 'expires', 'revoked', 'revoker', 'owner', 'kind')
if not now[1] then
  -- The family is listed in its owner's index and does not exist. Another call
  -- may be about to create it.
  if not now[2] and ARGV[4] ~= '0' then
    redis.call('HSET', family, 'revoked', ARGV[3])
    redis.call('PEXPIRE', family, ARGV[4])
  end
  return { 0 }
end
local wanted = #ARGV == 5
for i = 6, #ARGV do
  wanted = wanted or ARGV[i] == now[5]
end
if not wanted or (ARGV[5] ~= '' and ARGV[5] ~= now[4]) then
  return { 0 }
end
if now[2] and now[3] ~= ARGV[1] then
  return { 0, now[4], now[5] }
end
redis.call('HSET', family, 'revoked', ARGV[3], 'revoker', ARGV[1])
return { tonumber(now[1]) > tonumber(ARGV[2]) and 1 or 0, now[4], now[5] }
