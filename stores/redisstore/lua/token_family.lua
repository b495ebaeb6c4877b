-- Reads what is known of a family.
-- KEYS: the family, the ends of its members. ARGV: the time.
-- Returns nothing if there is no family, or its kind, its owner, whether it is alive, and
-- whether it has a member that can be used.
local family, now = KEYS[1], tonumber(ARGV[1])
local root = redis.call('HMGET', family, 'kind', 'owner', 'expires', 'revoked')
if not root[3] then
  return {}
end
local alive, usable = not root[4] and tonumber(root[3]) > now, false
if alive then
  -- A family has few members that have not expired.
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'LIMIT', 0, 64)) do
    if redis.call('HEXISTS', family, id .. ':c') == 0 then
      usable = true
      break
    end
  end
end
return { root[1] or '', root[2] or '', alive and 1 or 0, usable and 1 or 0 }
