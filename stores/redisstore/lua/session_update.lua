-- Applies a delta to a session.
-- KEYS: the row.
-- ARGV: 1 the number of the last argument that is a field to set or its value;
-- 2 of the last one that is a field to remove; 3 when the key expires, or '' if
-- the end stays. From 4 on fields and values to set; then fields to remove; then,
-- if it renames or is listed, the call and the old digest, or ''; an owner whose
-- index has the row, and until when.
-- Returns an outcome: one of package stores, or CORRUPT, or a list of one of the
-- other two below and what belongs to it.
local GONE, STALE, UPDATED = 0, 1, 2
local UNLISTED, CORRUPT, LARGE = 3, 4, 5

local row = KEYS[1]
local now = redis.call('HMGET', row, 'digest', 'owner', 'expires', 'listed', 'size')
local owner, expires, was_listed, was_size = now[2], tonumber(now[3]), tonumber(now[4]), tonumber(now[5])
if not (now[1] and owner and expires and was_listed and was_size) then
  return redis.call('EXISTS', row) == 0 and GONE or CORRUPT
end

local set_end, remove_end = tonumber(ARGV[1]), tonumber(ARGV[2])
local call = ARGV[remove_end + 1]
if (call or '') ~= '' then
  if redis.call('HGET', row, 'call') == call then
    return UPDATED -- by this call, and the answer was lost
  end
  if now[1] ~= ARGV[remove_end + 2] then
    return STALE
  end
end

-- stored returns what a key takes.
local function stored(field)
  local length = redis.call('HSTRLEN', row, field)
  if length == 0 and redis.call('HEXISTS', row, field) == 0 then
    return 0
  end
  return encoded(#field - 1) + encoded(length)
end
local listed, size, sets_keys = was_listed, was_size, false
for i = 4, set_end, 2 do
  local field, value = ARGV[i], ARGV[i + 1]
  if string.byte(field) == 58 then -- a colon, so it is a key
    size = size - stored(field) + encoded(#field - 1) + encoded(#value)
    sets_keys = true
  elseif field == 'expires' then
    expires = tonumber(value)
  elseif field == 'owner' and value ~= owner then
    owner, listed = value, 0
  end
end
for i = set_end + 1, remove_end do
  size = size - stored(ARGV[i])
end

-- A row may outlive neither its place in its owner's index nor be without one.
if owner == ARGV[remove_end + 3] then
  listed = math.max(listed, tonumber(ARGV[remove_end + 4]))
end
if owner ~= '' and expires > listed then
  return { UNLISTED, owner, whole(expires) }
end
if sets_keys and size + 1 > MAX_VALUES then
  return { LARGE, whole(size + 1) }
end

for i = 4, set_end, 1000 do -- Lua has no room for many more arguments
  redis.call('HSET', row, unpack(ARGV, i, math.min(i + 999, set_end)))
end
if listed ~= was_listed or size ~= was_size then
  redis.call('HSET', row, 'listed', whole(listed), 'size', whole(size))
end
for i = set_end + 1, remove_end do
  redis.call('HDEL', row, ARGV[i])
end
if ARGV[3] ~= '' then
  redis.call('PEXPIREAT', row, ARGV[3]) -- may delete the row, so it comes last
end
return UPDATED
