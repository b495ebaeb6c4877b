-- Applies a delta to a session.
-- KEYS: the row.
-- ARGV: 1 the number of the last argument that is a key to set or its value; 2 when the key
-- expires, or '' to keep it; 3 the generation; 4 '1' to remove all keys that are not set, or
-- '0'; 5 when the session expires and 6 when it was last seen, or '' to keep them; 7 to 9 the
-- new generation, owners and principals, or '' for 7 to keep them; 10 the call and 11 the
-- old digest, or '' if it is not renamed; 12 the new digest, or '' to keep it, and 13 when;
-- 14 the owners in whose indexes the row is listed, and 15 until when, or '' if it is not;
-- from 16 on keys and values to set; then keys to remove.
-- Returns a stores.Outcome or CORRUPT; or UNLISTED with the owners and when the row
-- expires; or LARGE with the size.
local GONE, STALE, UPDATED, REPLACED = 0, 1, 2, 3
local UNLISTED, CORRUPT, LARGE = 4, 5, 6
local FIRST = 16

local row = KEYS[1]
local now = redis.call('HGET', row, 'm')
if not now or #now < HEAD then
  return redis.call('EXISTS', row) == 0 and GONE or CORRUPT
end
local digest, renamed, seen, expires, was_listed, was_size, generation, previous, last = struct.unpack(ROW, now)
local owners = string.sub(now, HEAD + 1)

local set_end, clears, call = tonumber(ARGV[1]), ARGV[4] == '1', ARGV[10]
if call ~= '' and last == call then
  return UPDATED -- by this call, whose answer was lost
end
if generation ~= tonumber(ARGV[3]) then
  return REPLACED
end
if call ~= '' and digest ~= ARGV[11] then
  return STALE
end

local listed, size = was_listed, clears and 0 or was_size
for i = FIRST, set_end, 2 do
  local key, value = ARGV[i], ARGV[i + 1]
  size = size - (clears and 0 or stored(row, key)) + encoded(#key - 1) + encoded(#value)
end
for i = set_end + 1, #ARGV do
  size = size - stored(row, ARGV[i])
end
expires, seen = tonumber(ARGV[5]) or expires, tonumber(ARGV[6]) or seen
if ARGV[7] ~= '' then
  if generation ~= tonumber(ARGV[7]) then
    generation, previous = tonumber(ARGV[7]), NONE
  end
  for owner in string.gmatch(ARGV[8], '[^%z]+') do
    if not has(owners, owner) then
      listed = 0 -- in the index of this owner
    end
  end
  owners = ARGV[8]
end

-- No row is missing in the index of one of its owners, or outlives its entry.
if ARGV[15] ~= '' and owners == ARGV[14] then
  listed = math.max(listed, tonumber(ARGV[15]))
end
if owners ~= '' and expires > listed then
  return { UNLISTED, owners, whole(expires) }
end
if set_end >= FIRST and size + 1 > MAX_VALUES then
  return { LARGE, whole(size + 1) }
end

if clears then
  for _, field in ipairs(redis.call('HKEYS', row)) do
    if string.byte(field) == 58 then -- a key of the session begins with a colon
      redis.call('HDEL', row, field)
    end
  end
end
if call ~= '' then
  last = call
  if ARGV[12] ~= '' then
    previous = generation == tonumber(ARGV[3]) and digest or NONE
    digest, renamed = ARGV[12], tonumber(ARGV[13])
  end
end
now = struct.pack(ROW, digest, renamed, seen, expires, listed, size, generation, previous, last) .. owners
redis.call('HSET', row, 'm', now, unpack(ARGV, FIRST, math.min(FIRST + 999, set_end)))
set_all(row, ARGV, FIRST + 1000, set_end)
if ARGV[7] ~= '' then
  redis.call('HSET', row, 'p', ARGV[9])
end
for i = set_end + 1, #ARGV do
  redis.call('HDEL', row, ARGV[i])
end
if ARGV[2] ~= '' then
  redis.call('PEXPIREAT', row, ARGV[2]) -- may delete the row, so it comes last
end
return UPDATED
