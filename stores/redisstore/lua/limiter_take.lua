-- Takes a slot in each of several windows or in none. Peek, in limiter_peek.go,
-- answers the same without taking.
-- KEYS: the windows, each once. ARGV: the time in microseconds; how long a key
-- outlasts its window, in milliseconds; then for each slot the number of its
-- key, the limit, the period.
-- A window is "opened ends taken".
-- Returns the number (from 0) of the first slot that is not there, or -1; how
-- long the window lasts; then for each slot when its window opened, and whether
-- that is now.
local now, slack, windows = tonumber(ARGV[1]), tonumber(ARGV[2]), {}
for i, key in ipairs(KEYS) do
  local text = redis.call('GET', key)
  if text then
    local opened, ends, taken = string.match(text, '^(%-?%d+) (%-?%d+) (%d+)$')
    if not opened then
      return redis.error_reply('CORRUPT window')
    end
    windows[i] = { opened = tonumber(opened), ends = tonumber(ends), taken = tonumber(taken), fresh = 0, stored = true }
  else
    windows[i] = { ends = -math.huge }
  end
end

local answer = { -1, 0 }
for i = 3, #ARGV, 3 do
  local window = windows[tonumber(ARGV[i])]
  if window.ends <= now then
    window.opened, window.ends, window.taken, window.fresh = now, now + tonumber(ARGV[i + 2]), 0, 1
  end
  if window.taken < tonumber(ARGV[i + 1]) then
    window.taken = window.taken + 1
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
    -- Never shorter than another machine, with a clock behind this one's, asked.
    left = math.max(left, redis.call('PTTL', key))
  end
  redis.call('SET', key, string.format('%.0f %.0f %.0f', w.opened, w.ends, w.taken), 'PX', whole(left))
end
return answer
