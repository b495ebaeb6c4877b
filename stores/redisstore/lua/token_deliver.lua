-- Records when a token was delivered, unless that is recorded.
-- KEYS: the family. ARGV: the id, the time.
if redis.call('HEXISTS', KEYS[1], ARGV[1] .. ':t') == 1 then
  redis.call('HSETNX', KEYS[1], ARGV[1] .. ':d', ARGV[2])
end
return 0
