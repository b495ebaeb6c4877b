-- Applies a delta to a session.
-- KEYS: the row.
-- ARGV: 1 the call if it renames, or ''; 2 to 4 the old digest, the new one and
-- the time; 5 last seen; 6 the end and 7 when the key expires; 8 '1' if 9 is a
-- new owner; 10 an owner whose index has the row, and 11 until when; 12 the
-- largest size; 13 how many pairs to set follow. After them come the fields to
-- remove. What is not given is ''.
-- Returns { outcome }, where outcome is that of package stores, or one below.
local GONE, STALE, UPDATED = 0, 1, 2
local UNLISTED, CORRUPT, LARGE = 3, 4, 5

local row = KEYS[1]
local now = redis.call('HMGET', row, 'digest', 'owner', 'expires', 'listed', 'size', 'call')
if not now[1] then
  return { redis.call('EXISTS', row) == 0 and GONE or CORRUPT }
end
local owner, expires, listed, size = now[2], tonumber(now[3]), tonumber(now[4]), tonumber(now[5])
if not (owner and expires and listed and size) then
  return { CORRUPT }
end

if ARGV[1] ~= '' then
  if now[6] == ARGV[1] then
    return { UPDATED } -- by this call, and the answer was lost
  end
  if now[1] ~= ARGV[2] then
    return { STALE }
  end
end

-- A row may outlive neither its place in its owner's index nor be without one.
if ARGV[8] == '1' then
  if owner ~= ARGV[9] then
    listed = 0
  end
  owner = ARGV[9]
end
if ARGV[6] ~= '' then
  expires = tonumber(ARGV[6])
end
if owner == ARGV[10] then
  listed = math.max(listed, tonumber(ARGV[11]))
end
if owner ~= '' and expires > listed then
  return { UNLISTED, owner, whole(expires) }
end

local pairs_end = 13 + 2 * tonumber(ARGV[13])
local function stored(field)
  if redis.call('HEXISTS', row, field) == 0 then
    return 0
  end
  return encoded(#field - 1) + encoded(redis.call('HSTRLEN', row, field))
end
for i = 14, pairs_end, 2 do
  size = size - stored(ARGV[i]) + encoded(#ARGV[i] - 1) + encoded(#ARGV[i + 1])
end
for i = pairs_end + 1, #ARGV do
  size = size - stored(ARGV[i])
end
if pairs_end > 13 and size + 1 > tonumber(ARGV[12]) then
  return { LARGE, whole(size + 1) }
end

redis.call('HSET', row, 'owner', owner, 'listed', whole(listed), 'size', whole(size))
if ARGV[1] ~= '' then
  redis.call('HSET', row, 'call', ARGV[1], 'digest', ARGV[3], 'renamed', ARGV[4])
end
if ARGV[5] ~= '' then
  redis.call('HSET', row, 'seen', ARGV[5])
end
for i = 14, pairs_end, 2 do
  redis.call('HSET', row, ARGV[i], ARGV[i + 1])
end
for i = pairs_end + 1, #ARGV do
  redis.call('HDEL', row, ARGV[i])
end
if ARGV[6] ~= '' then
  redis.call('HSET', row, 'expires', ARGV[6])
  redis.call('PEXPIREAT', row, ARGV[7]) -- may delete the row, so it comes last
end
return { UPDATED }
