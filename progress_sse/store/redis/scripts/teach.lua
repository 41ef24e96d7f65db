-- Adds a lesson to the history of a profile, unless the same run has taught it already; returns 1 if it was added.
-- A history of `most` cells takes no new ones. The increments need no further right than sessions do.

local history, lesson = KEYS[1], KEYS[2]
local most, lifetime_ms, lesson_lifetime_ms = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local kept = redis.call('HLEN', history)  -- A foreign value there fails the script before its first write.
if redis.call('GET', lesson) then
    return 0
end
redis.call('SET', lesson, '', 'PX', lesson_lifetime_ms)
for i = 4, #ARGV do
    local count = redis.call('HGET', history, ARGV[i])
    if count or kept < most then
        redis.call('HSET', history, ARGV[i], string.format('%.0f', (count or 0) + 1))
        kept = kept + (count and 0 or 1)
    end
end
redis.call('PEXPIRE', history, lifetime_ms)
return 1
