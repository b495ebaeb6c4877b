-- Lists an identity among those of its owner, unless there are too many.
-- KEYS: the owner's list. ARGV: the field, the name of the call that stored it, the largest number.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
