-- Records when a token was presented.
-- KEYS: the family. ARGV: the id, the time.
local field = ARGV[1] .. ':u'
local now = redis.call('HMGET', KEYS[1], ARGV[1] .. ':t', field)
if now[1] and tonumber(now[2] or 0) < tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], field, ARGV[2])
end
return 0
