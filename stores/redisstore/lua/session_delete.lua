-- Deletes a session, and marks for a while that it was deleted.
-- KEYS: 1 the row; 2 the mark. ARGV: 1 the owner that the row must have, or ''; 2 for how long it is
-- marked, in milliseconds.
-- Returns whether it existed, and its owners.
-- A key of another type can be deleted as well.
local now = redis.pcall('HGET', KEYS[1], 'm')
local owners = type(now) == 'string' and string.sub(now, HEAD + 1) or ''
if ARGV[1] ~= '' and not has(owners, ARGV[1]) then
  return { 0, owners }
end
local existed = redis.call('UNLINK', KEYS[1])
if existed == 1 then
  redis.call('SET', KEYS[2], '', 'PX', ARGV[2])
end
return { existed, owners }
