-- Removes surplus families of a kind from an owner's index.
-- KEYS: the index. ARGV: 1 the end of the members of the kind; 2 how many of them may stay;
-- then the members that may be removed, the first ones first.
-- Returns the removed members.
local index, removed = KEYS[1], {}
local surplus = #ofkind(index, ARGV[1]) / 2 - tonumber(ARGV[2])
for i = 3, #ARGV do
  if surplus <= 0 or #removed >= MAX_ENDED then
    break
  end
  if redis.call('ZREM', index, ARGV[i]) == 1 then
    surplus = surplus - 1
    removed[#removed + 1] = ARGV[i]
  end
end
return removed
