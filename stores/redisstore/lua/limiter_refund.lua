-- Refunds slots of a window.
-- KEYS: the window. ARGV: when it began; how many slots; '1' to delete the window
-- if no reserved slot is left.
local text = redis.call('GET', KEYS[1])
if not text or #text ~= SIZE then
  return 0
end
local opened, ends, reserved = struct.unpack(WINDOW, text)
if opened ~= tonumber(ARGV[1]) then
  return 0
end
local left = math.max(reserved - tonumber(ARGV[2]), 0)
if left == 0 and ARGV[3] == '1' then
  return redis.call('UNLINK', KEYS[1])
end
redis.call('SET', KEYS[1], struct.pack(WINDOW, opened, ends, left), 'KEEPTTL')
return 1
