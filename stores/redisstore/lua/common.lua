-- Functions for the scripts. Each script begins with this file.

-- whole returns a number as text with all its digits; tostring and .. keep only 14.
local function whole(n)
  return string.format('%.0f', n)
end

-- clock returns the server's time in milliseconds.
local function clock()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

-- encoded returns the size of n bytes in the encoding of stores.Values: the bytes and
-- their length, which has seven bits in each byte.
local function encoded(n)
  local size, rest = n + 1, n
  while rest >= 128 do
    size, rest = size + 1, math.floor(rest / 128)
  end
  return size
end

-- forget deletes a member of a family.
local function forget(family, ends, id)
  redis.call('HDEL', family, id .. ':t', id .. ':e', id .. ':c', id .. ':k', id .. ':n', id .. ':u', id .. ':d')
  redis.call('ZREM', ends, id)
end

-- spend deletes the consumed members of a family but the last one. A family has few
-- members, and only some of them are looked at, so that no call takes long.
local function spend(family, ends, last)
  for _, id in ipairs(redis.call('ZRANGE', ends, 0, 15)) do
    if id ~= last and redis.call('HEXISTS', family, id .. ':c') == 1 then
      forget(family, ends, id)
    end
  end
end

-- trim deletes members of a family that expired before the given time. It deletes only
-- a few, so that no call takes long.
local function trim(family, ends, before)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', '(' .. whole(before), 'LIMIT', 0, 8)) do
    forget(family, ends, id)
  end
end

-- has reports whether a session's owners, which are separated by NUL, include an
-- owner.
local function has(owners, owner)
  return string.find('\0' .. owners .. '\0', '\0' .. owner .. '\0', 1, true) ~= nil
end

-- ofkind returns the members of an owner's index that end with a kind, each followed by its
-- score, those that expire first first.
local function ofkind(index, kind)
  local all, found = redis.call('ZRANGE', index, 0, -1, 'WITHSCORES'), {}
  for i = 1, #all, 2 do
    if string.sub(all[i], -#kind) == kind then
      found[#found + 1] = all[i]
      found[#found + 1] = all[i + 1]
    end
  end
  return found
end
