-- Reserves a slot in each of several windows, or in none. Peek, in limiter_peek.go,
-- computes the same result and reserves nothing.
-- KEYS: the windows, each once. ARGV: the time in microseconds; how much longer a
-- key lives than its window, in milliseconds; then for each slot the number of its
-- key, the limit and the period in microseconds.
-- Returns packed numbers: the index (from 0) of the first slot that is not free, or -1;
-- the time until its window ends; then for each slot when its window began, and 1 if
-- that was now.
local now, opened, ends, reserved, fresh = tonumber(ARGV[1]), {}, {}, {}, {}
for i, key in ipairs(KEYS) do
  local text = redis.call('GET', key)
  if not text then
    ends[i] = now
  elseif #text ~= SIZE then
    return redis.error_reply('CORRUPT window')
  else
    opened[i], ends[i], reserved[i] = struct.unpack(WINDOW, text)
    if reserved[i] < 0 then
      return redis.error_reply('CORRUPT window')
    end
  end
end

local answer, full, wait = '', -1, 0
for i = 3, #ARGV, 3 do
  local w = tonumber(ARGV[i])
  if ends[w] <= now then
    opened[w], ends[w], reserved[w], fresh[w] = now, now + tonumber(ARGV[i + 2]), 0, 1
  end
  if reserved[w] < tonumber(ARGV[i + 1]) then
    reserved[w] = reserved[w] + 1
  else
    if full < 0 then
      full = (i - 3) / 3
    end
    wait = math.max(wait, ends[w] - now)
  end
  answer = answer .. struct.pack('<i8i8', opened[w], fresh[w] or 0)
end
answer = struct.pack('<i8i8', full, wait) .. answer
if full >= 0 then
  return answer
end

for i, key in ipairs(KEYS) do
  local text = struct.pack(WINDOW, opened[i], ends[i], reserved[i])
  if fresh[i] then
    redis.call('SET', key, text, 'PX', whole(math.ceil((ends[i] - now) / 1000) + tonumber(ARGV[2])))
  else
    redis.call('SET', key, text, 'KEEPTTL')
  end
end
return answer
