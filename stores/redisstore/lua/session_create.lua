-- Stores a new session.
-- KEYS: the row. ARGV: the call, when the key expires, then fields and values.
-- Returns 1, or 0 if the row exists.
local row = KEYS[1]
if redis.call('EXISTS', row) == 1 then
  -- If this call created the row, the first answer was lost.
  return redis.call('HGET', row, 'call') == ARGV[1] and 1 or 0
end
redis.call('HSET', row, 'call', ARGV[1])
for i = 3, #ARGV, 2 do
  redis.call('HSET', row, ARGV[i], ARGV[i + 1])
end
redis.call('PEXPIREAT', row, ARGV[2])
return 1
