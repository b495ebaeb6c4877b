-- Changes an identity.
-- KEYS: the identity. ARGV: its owner, then fields and values.
local now = redis.call('HMGET', KEYS[1], 'o', 'w')
if now[1] ~= ARGV[1] or now[2] then
  return 0 -- it is another user's, or was never confirmed
end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
return 1
