-- Stores a new session.
-- KEYS: the row. ARGV: the call, when the key expires, then fields and values.
-- Returns 1, or 0 if the row exists.
local row = KEYS[1]
if redis.call('EXISTS', row) == 1 then
  -- If this call created the row, the first answer was lost.
  local now = redis.call('HGET', row, 'm')
  return now and string.sub(now, HEAD - 11, HEAD) == ARGV[1] and 1 or 0
end
set_all(row, ARGV, 3, #ARGV)
redis.call('PEXPIREAT', row, ARGV[2])
return 1
