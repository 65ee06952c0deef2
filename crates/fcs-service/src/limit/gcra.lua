-- Judges one request against a caller's rate and daily quota, in one round trip, by the server's clock.
-- KEYS: arrival time, count of the day. ARGV: interval and window in microseconds, daily quota (0: none).
-- Answers: conforms (1, 0: rate, -1: quota), arrival - now, wait in microseconds.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval, window, quota = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local day_micros = 86400000000
if quota > 0 and tonumber(redis.call('GET', KEYS[2]) or '0') >= quota then
  return {-1, 0, day_micros - now % day_micros}
end
local arrival = tonumber(redis.call('GET', KEYS[1]) or '0')
arrival = math.min(math.max(arrival, now), now + window)
local next_arrival = arrival + interval
local wait = next_arrival - now - window
if wait > 0 then
  return {0, arrival - now, wait}
end
redis.call('SET', KEYS[1], string.format('%.0f', next_arrival), 'PX', math.ceil((next_arrival - now) / 1000) + 1000)
if quota > 0 then
  redis.call('INCR', KEYS[2])
  redis.call('PEXPIRE', KEYS[2], 90000000)
end
return {1, next_arrival - now, 0}
