-- Deletes a family that is no longer in its owner's index.
-- KEYS: the family, the ends of its members. ARGV: 1 the time; 2 how long a family that
-- does not exist yet cannot be created, in milliseconds.
-- Returns whether it was alive.
local now = redis.call('HMGET', KEYS[1], 'expires', 'revoked')
if not now[1] then
  -- The call that is about to create it must not create a family that nobody finds.
  redis.call('HSET', KEYS[1], 'revoked', ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return 0
end
redis.call('DEL', KEYS[1], KEYS[2])
return not now[2] and tonumber(now[1]) > tonumber(ARGV[1]) and 1 or 0
