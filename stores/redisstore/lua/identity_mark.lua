-- Marks an entry of an owner's list: its identity is going to be deleted. Returns its value without the mark, or ''.
-- KEYS: the owner's list. ARGV: the field, then the beginnings of fields of which another one without a mark has to be there.
local value = redis.call('HGET', KEYS[1], ARGV[1])
if not value then
  return ''
end
local another = #ARGV == 1
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  for j = 2, #ARGV do
    if all[i] ~= ARGV[1] and string.sub(all[i + 1], 1, 1) ~= '-' and string.sub(all[i], 1, #ARGV[j]) == ARGV[j] then
      another = true
    end
  end
end
if not another then
  return ''
end
if string.sub(value, 1, 1) == '-' then
  return string.sub(value, 2)
end
redis.call('HSET', KEYS[1], ARGV[1], '-' .. value)
return value
