-- Sets keys of a session that the caller has not loaded, or else returns the session.
-- KEYS: 1 the row; 2 the mark of its deletion.
-- ARGV: 1 the digest; since when a former digest counts; after when the session has to have been
-- seen and created; when it is seen now, and when it and its key expire; and how many bytes the
-- values may have; 2 the beginning that no field may have, or ''; from 3 on keys and values.
-- Returns 1 if the keys are set; the fields of the row; or if the row was deleted lately, how long
-- ago in milliseconds, below zero.
local HEAD_OF_CALL, FIRST = '>c32i8i8i8i8i8i8I4', 3

local row = KEYS[1]
local now, made = unpack(redis.call('HMGET', row, 'm', 'f'))
if not now then
  local left = redis.call('PTTL', KEYS[2])
  if left >= 0 then
    return math.min(left - DELETED_FOR, 0)
  end
end
if not now or #now < HEAD or not made or #made < 8 then
  return redis.call('HGETALL', row) -- gone, or corrupt
end
local digest, renamed, was_seen, _, listed, size, generation, previous, last = struct.unpack(ROW, now)
local owners, created = string.sub(now, HEAD + 1), struct.unpack('>i8', made)
local ours, since, seen_after, created_after, seen, expires, key_end, room = struct.unpack(HEAD_OF_CALL, ARGV[1])

-- A former digest opens the row to a request that began before it was replaced. A rename in the
-- future of the caller has the time of another clock, which says nothing.
local opens = ours ~= NONE and (digest == ours or (previous == ours and renamed > since and renamed <= seen))
if not opens or was_seen <= seen_after or created <= created_after or (owners ~= '' and expires > listed) then
  return redis.call('HGETALL', row)
end
local fields = redis.call('HKEYS', row)
if #fields - 3 + (#ARGV - FIRST + 1) / 2 > MAX_KEYS then
  return redis.call('HGETALL', row)
end
local without = ARGV[2]
for _, field in ipairs(fields) do
  if without ~= '' and string.sub(field, 1, #without) == without then
    return redis.call('HGETALL', row)
  end
end
for i = FIRST, #ARGV, 2 do
  size = size - stored(row, ARGV[i]) + encoded(#ARGV[i] - 1) + encoded(#ARGV[i + 1])
end
if size + 1 > room then
  return redis.call('HGETALL', row)
end

now = struct.pack(ROW, digest, renamed, seen, expires, listed, size, generation, previous, last) .. owners
redis.call('HSET', row, 'm', now, unpack(ARGV, FIRST, math.min(FIRST + 999, #ARGV)))
set_all(row, ARGV, FIRST + 1000, #ARGV)
redis.call('PEXPIREAT', row, whole(key_end)) -- may delete the row, so it comes last
return 1
