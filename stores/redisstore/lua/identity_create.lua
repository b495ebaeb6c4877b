-- Begins to store an identity: it expires, and counts as none, unless identity_keep confirms it.
-- KEYS: the identity. ARGV: the name of this call, the milliseconds until it expires, its owner, then fields and values.
local now = redis.call('HMGET', KEYS[1], 'n', 'o', 'w')
if now[1] == ARGV[1] then
  return 1 -- by this call, whose answer was lost
end
-- One of the same owner that was never confirmed is that of a call that was interrupted, or will be.
if now[1] and not (now[3] and now[2] == ARGV[3]) then
  return 0
end
if not now[1] and redis.call('EXISTS', KEYS[1]) == 1 then
  return redis.error_reply('CORRUPT identity without a name of its call')
end
redis.call('HSET', KEYS[1], 'n', ARGV[1], 'w', '1', 'o', ARGV[3], unpack(ARGV, 4))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
