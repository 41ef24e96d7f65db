-- Enters a profile that is about to be taught. Returns those that were taught last the longest ago, beyond `most`.

local profiles, profile, most, lifetime_ms = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]
local time = redis.call('TIME')
redis.call('ZADD', profiles, string.format('%.0f', time[1] * 1000000 + time[2]), profile)
redis.call('PEXPIRE', profiles, lifetime_ms)
local surplus = redis.call('ZRANGE', profiles, 0, -(most + 1))
for _, former in ipairs(surplus) do
    redis.call('ZREM', profiles, former)
end
return surplus
