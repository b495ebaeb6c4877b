-- Confirms an identity, or deletes one.
-- KEYS: the identity. ARGV: the name of the call that stored it, 'keep' or 'delete'.
if redis.call('HGET', KEYS[1], 'n') ~= ARGV[1] then
  return 0
end
if ARGV[2] == 'delete' then
  return redis.call('DEL', KEYS[1])
end
redis.call('HDEL', KEYS[1], 'w')
redis.call('PERSIST', KEYS[1])
return 1
