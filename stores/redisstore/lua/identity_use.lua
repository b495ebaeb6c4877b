-- Changes an identity.
-- KEYS: the identity. ARGV: its owner, then fields and values.
if redis.call('HGET', KEYS[1], 'o') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
return 1
