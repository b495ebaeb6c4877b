-- Begins to store an identity: it expires unless identity_keep confirms it.
-- KEYS: the identity. ARGV: the name of this call, the milliseconds until it expires, then fields and values.
local by = redis.call('HGET', KEYS[1], 'n')
if by then
  return by == ARGV[1] and 1 or 0
end
if redis.call('EXISTS', KEYS[1]) == 1 then
  return redis.error_reply('CORRUPT identity without a name of its call')
end
redis.call('HSET', KEYS[1], 'n', ARGV[1], unpack(ARGV, 3))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
