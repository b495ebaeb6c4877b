-- Applies a delta to a session.
-- KEYS: the row.
-- ARGV: 1 the number of the last argument that is a field to set or its value; 2 the
-- number of the last argument that is a field to remove; 3 when the key expires, or ''
-- to keep it; 4 the generation; 5 '1' to remove all keys that are not set, or '0'; from
-- 6 on fields and values to set; then fields to remove; then, if the delta renames or
-- the row was listed, the call and the old digest, or '' for both; the owners in whose
-- indexes the row is listed, and until when.
-- Returns a stores.Outcome or CORRUPT; or UNLISTED with the owners and when the row
-- expires; or LARGE with the size.
local GONE, STALE, UPDATED, REPLACED = 0, 1, 2, 3
local UNLISTED, CORRUPT, LARGE = 4, 5, 6

local row = KEYS[1]
local now = redis.call('HMGET', row, 'digest', 'owners', 'generation', 'expires', 'listed', 'size')
local owners, expires, was_listed, was_size = now[2], tonumber(now[4]), tonumber(now[5]), tonumber(now[6])
if not (now[1] and owners and now[3] and expires and was_listed and was_size) then
  return redis.call('EXISTS', row) == 0 and GONE or CORRUPT
end

local set_end, remove_end, clears = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[5] == '1'
local call = ARGV[remove_end + 1] or ''
if call ~= '' and redis.call('HGET', row, 'call') == call then
  return UPDATED -- by this call, whose answer was lost
end
if now[3] ~= ARGV[4] then
  return REPLACED
end
if call ~= '' and now[1] ~= ARGV[remove_end + 2] then
  return STALE
end

-- is_key reports whether a field holds a key of the session: it begins with a colon.
local function is_key(field)
  return string.byte(field) == 58
end
-- stored returns the size of a key with its value, 0 if the row has no such key or it
-- is cleared.
local function stored(field)
  if clears then
    return 0
  end
  local length = redis.call('HSTRLEN', row, field)
  if length == 0 and redis.call('HEXISTS', row, field) == 0 then
    return 0
  end
  return encoded(#field - 1) + encoded(length)
end
local listed, size, sets_keys = was_listed, clears and 0 or was_size, false
for i = 6, set_end, 2 do
  local field, value = ARGV[i], ARGV[i + 1]
  if is_key(field) then
    size = size - stored(field) + encoded(#field - 1) + encoded(#value)
    sets_keys = true
  elseif field == 'expires' then
    expires = tonumber(value)
  elseif field == 'owners' then
    for owner in string.gmatch(value, '[^%z]+') do
      if not has(owners, owner) then
        listed = 0 -- in the index of this owner
      end
    end
    owners = value
  end
end
for i = set_end + 1, remove_end do
  size = size - stored(ARGV[i])
end

-- No row is missing in the index of one of its owners, or outlives its entry.
if owners == ARGV[remove_end + 3] then
  listed = math.max(listed, tonumber(ARGV[remove_end + 4]))
end
if owners ~= '' and expires > listed then
  return { UNLISTED, owners, whole(expires) }
end
if sets_keys and size + 1 > MAX_VALUES then
  return { LARGE, whole(size + 1) }
end

if clears then
  for _, field in ipairs(redis.call('HKEYS', row)) do
    if is_key(field) then
      redis.call('HDEL', row, field)
    end
  end
end
for i = 6, set_end, 1000 do -- Lua has no room for many more arguments
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
