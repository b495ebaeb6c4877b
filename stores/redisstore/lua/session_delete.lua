-- Deletes a session.
-- KEYS: the row. ARGV: the owner that it must have, or ''.
-- Returns whether it existed, and its owners.
-- A key of another type can be deleted as well.
local now = redis.pcall('HGET', KEYS[1], 'm')
local owners = type(now) == 'string' and string.sub(now, HEAD + 1) or ''
if ARGV[1] ~= '' and not has(owners, ARGV[1]) then
  return { 0, owners }
end
return { redis.call('UNLINK', KEYS[1]), owners }
