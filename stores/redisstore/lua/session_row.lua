-- The field of a session that changes: its digest, when it was renamed, when it was last seen, when it
-- expires and until when the indexes of its owners have it, in microseconds; the size of its keys; its
-- generation; the digest before the last rename, if no principal was replaced or removed since; the
-- call that created or renamed it; and its owners, which NUL separates.
local ROW, HEAD = '>c32i8i8i8i8I4I4c32c12', 116
local NONE = string.rep('\0', 32) -- no digest

-- stored returns the size of a key of a row with its value, 0 if the row has no such key.
local function stored(row, key)
  local length = redis.call('HSTRLEN', row, key)
  if length == 0 and redis.call('HEXISTS', row, key) == 0 then
    return 0
  end
  return encoded(#key - 1) + encoded(length)
end

-- set_all sets the fields of a row that args has from first to last, each followed by its value.
local function set_all(row, args, first, last)
  for i = first, last, 1000 do -- Lua has no room for many more arguments
    redis.call('HSET', row, unpack(args, i, math.min(i + 999, last)))
  end
end
