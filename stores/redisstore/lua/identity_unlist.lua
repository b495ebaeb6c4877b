-- Deletes entries of an owner's list that have not changed.
-- KEYS: the owner's list. ARGV: fields and values.
for i = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
return 1
