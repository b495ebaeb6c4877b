-- Raises the counter of a factor.
-- KEYS: the owner's factors. ARGV: the field, the counter, the time, the new data or ''.
local value = redis.call('HGET', KEYS[1], ARGV[1])
if not value then
  return 0
end
local counter, data, rest = string.match(value, '^(%d+) %d+ (%S+) (.*)$')
if not counter or tonumber(counter) >= tonumber(ARGV[2]) then
  return 0
end
if ARGV[4] ~= '' then
  data = ARGV[4]
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. data .. ' ' .. rest)
return 1
