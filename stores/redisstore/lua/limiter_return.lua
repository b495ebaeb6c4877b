-- Puts slots of a window back.
-- KEYS: the window. ARGV: when it opened; how many; '1' to forget it if none is
-- left.
local text = redis.call('GET', KEYS[1])
local opened, ends, taken = string.match(text or '', '^(%-?%d+) (%-?%d+) (%d+)$')
if opened ~= ARGV[1] then
  return 0
end
local left = math.max(tonumber(taken) - tonumber(ARGV[2]), 0)
if left == 0 and ARGV[3] == '1' then
  return redis.call('UNLINK', KEYS[1])
end
redis.call('SET', KEYS[1], opened .. ' ' .. ends .. ' ' .. whole(left), 'KEEPTTL')
return 1
