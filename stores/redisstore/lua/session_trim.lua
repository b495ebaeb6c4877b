-- Removes surplus entries from an owner's index.
-- KEYS: the index. ARGV: 1 how many entries may stay; then the entries that may be
-- removed, the first ones first.
-- Returns the removed entries.
local index, removed = KEYS[1], {}
local surplus = redis.call('ZCARD', index) - tonumber(ARGV[1])
for i = 2, #ARGV do
  if surplus <= 0 or #removed >= MAX_ENDED then
    break
  end
  if redis.call('ZREM', index, ARGV[i]) == 1 then
    surplus = surplus - 1
    removed[#removed + 1] = ARGV[i]
  end
end
return removed
