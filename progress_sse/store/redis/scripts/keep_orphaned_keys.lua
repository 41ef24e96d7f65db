-- Enters the id of a removed session with the number of idempotency keys that it leaves.
-- Returns the ids whose keys have to go, because more than `most` were left after them.
-- Scores add up: the difference of two scores is the number of keys that were left in between.

local orphans, id, count, most, lifetime_ms = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local score = tonumber(redis.call('ZRANGE', orphans, -1, -1, 'WITHSCORES')[2] or 0) + count
redis.call('ZADD', orphans, score, id)
redis.call('PEXPIRE', orphans, lifetime_ms)
local surplus = redis.call('ZRANGE', orphans, '-inf', score - most, 'BYSCORE', 'LIMIT', 0, 100)
for _, former in ipairs(surplus) do
    redis.call('ZREM', orphans, former)
end
return surplus
