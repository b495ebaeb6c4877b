-- Takes a slot in each of several windows or in none. Peek, in limiter_peek.go,
-- answers the same without taking.
-- KEYS: the windows, each once. ARGV: the time in microseconds; how long a key
-- outlasts its window, in milliseconds; then for each slot the number of its
-- key, the limit, the period.
-- A window is "opened ends taken".
-- Returns the number (from 0) of the first slot that is not there, or -1; how
-- long the window lasts; then for each slot when its window opened, and whether
-- that is now.
local now, windows = tonumber(ARGV[1]), {}
for i, key in ipairs(KEYS) do
  local text, window = redis.call('GET', key), {}
  if text then
    local opened, ends, taken = string.match(text, '^(%-?%d+) (%-?%d+) (%d+)$')
    if not opened then
      return redis.error_reply('CORRUPT window')
    end
    window = { opened = tonumber(opened), ends = tonumber(ends), taken = tonumber(taken) }
  end
  windows[i] = window
end

local answer = { -1, 0 }
for i = 3, #ARGV, 3 do
  local window, limit, period = windows[tonumber(ARGV[i])], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  if not window.ends or window.ends <= now then
    window.opened, window.ends, window.taken, window.fresh = now, now + period, 0, 1
  end
  if window.taken < limit then
    window.taken = window.taken + 1
  else
    if answer[1] < 0 then
      answer[1] = (i - 3) / 3
    end
    answer[2] = math.max(answer[2], window.ends - now)
  end
  answer[#answer + 1] = window.opened
  answer[#answer + 1] = window.fresh or 0
end

if answer[1] < 0 then
  for i, key in ipairs(KEYS) do
    local w = windows[i]
    -- Never shorter than another machine, with a clock behind this one's, asked.
    local left = math.max(redis.call('PTTL', key), math.ceil((w.ends - now) / 1000) + tonumber(ARGV[2]))
    redis.call('SET', key, whole(w.opened) .. ' ' .. whole(w.ends) .. ' ' .. whole(w.taken), 'PX', whole(left))
  end
end
return answer
