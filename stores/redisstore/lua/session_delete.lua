-- Deletes a session.
-- KEYS: the row. ARGV: the owner it must have, or ''.
-- Returns whether it existed, and its owner.
-- What is no session any more can be deleted all the same.
local owner = redis.pcall('HGET', KEYS[1], 'owner')
if type(owner) ~= 'string' then
  owner = ''
end
if ARGV[1] ~= '' and owner ~= ARGV[1] then
  return { 0, owner }
end
return { redis.call('UNLINK', KEYS[1]), owner }
