-- Reserves a slot in each of several windows, or in none. Peek, in limiter_peek.go,
-- computes the same result and reserves nothing.
-- KEYS: the windows, each once. ARGV: packed numbers: the time in microseconds, and how
-- much longer a key lives than its window, in milliseconds; then for each slot the number
-- of its key, the limit and the period in microseconds.
-- Returns packed numbers. If a slot is not free: its index (from 0), and the time until its
-- window ends. Otherwise the windows, and then '1' if one of them began now.
local pack, unpack, args, windows = struct.pack, struct.unpack, ARGV[1], {}
for i = 1, #KEYS do
  windows[i] = redis.call('GET', KEYS[i])
end

local now, slack, at = unpack('<i8i8', args)
local slot, full, wait, lives, began = 0, nil, 0, {}, ''
while at <= #args do
  local key, limit, period, opened, ends, reserved
  key, limit, period, at = unpack('<i8i8i8', args, at)
  local text = windows[key]
  if text then
    if #text ~= SIZE then
      return redis.error_reply('CORRUPT window')
    end
    opened, ends, reserved = unpack(WINDOW, text)
    if reserved < 0 then
      return redis.error_reply('CORRUPT window')
    end
  end
  if not text or ends <= now then
    opened, ends, reserved, began = now, now + period, 0, '1'
    lives[key] = string.format('%.0f', math.ceil(period / 1000) + slack)
  end
  if reserved >= limit then
    full, wait = full or slot, math.max(wait, ends - now)
  end
  windows[key], slot = pack(WINDOW, opened, ends, reserved + 1), slot + 1
end
if full then
  return pack('<i8i8', full, wait)
end

for i = 1, #KEYS do
  if lives[i] then
    redis.call('SET', KEYS[i], windows[i], 'PX', lives[i])
  else
    redis.call('SET', KEYS[i], windows[i], 'KEEPTTL')
  end
end
return table.concat(windows) .. began
