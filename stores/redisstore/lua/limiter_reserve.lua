-- Reserves a slot in each of several windows, or in none. Peek, in limiter_peek.go,
-- computes the same result and reserves nothing.
-- KEYS: the windows, each once. ARGV: the time in microseconds; how much longer a
-- key lives than its window, in milliseconds; then for each slot the number of its
-- key, the limit and the period in microseconds.
-- A window is stored as "opened ends reserved".
-- Returns the index (from 0) of the first slot that is not free, or -1; the time
-- until its window ends; then for each slot when its window began, and whether it
-- began now.
local now, slack, windows = tonumber(ARGV[1]), tonumber(ARGV[2]), {}
for i, key in ipairs(KEYS) do
  local text = redis.call('GET', key)
  if text then
    local opened, ends, reserved = string.match(text, '^(%-?%d+) (%-?%d+) (%d+)$')
    if not opened then
      return redis.error_reply('CORRUPT window')
    end
    windows[i] = { opened = tonumber(opened), ends = tonumber(ends), reserved = tonumber(reserved), fresh = 0, stored = true }
  else
    windows[i] = { ends = -math.huge }
  end
end

local answer = { -1, 0 }
for i = 3, #ARGV, 3 do
  local window = windows[tonumber(ARGV[i])]
  if window.ends <= now then
    window.opened, window.ends, window.reserved, window.fresh = now, now + tonumber(ARGV[i + 2]), 0, 1
  end
  if window.reserved < tonumber(ARGV[i + 1]) then
    window.reserved = window.reserved + 1
  else
    if answer[1] < 0 then
      answer[1] = (i - 3) / 3
    end
    answer[2] = math.max(answer[2], window.ends - now)
  end
  answer[#answer + 1] = window.opened
  answer[#answer + 1] = window.fresh
end
if answer[1] >= 0 then
  return answer
end

for i, key in ipairs(KEYS) do
  local w = windows[i]
  local left = math.ceil((w.ends - now) / 1000) + slack
  if w.stored then
    -- A machine whose clock is slower may have asked for a longer time.
    left = math.max(left, redis.call('PTTL', key))
  end
  redis.call('SET', key, string.format('%.0f %.0f %.0f', w.opened, w.ends, w.reserved), 'PX', whole(left))
end
return answer
