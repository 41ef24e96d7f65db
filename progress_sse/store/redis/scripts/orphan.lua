local orphans, id, count, most, lifetime_ms = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local mark = tonumber(redis.call('ZRANGE', orphans, -1, -1, 'WITHSCORES')[2] or 0) + count
redis.call('ZADD', orphans, mark, id)
redis.call('PEXPIRE', orphans, lifetime_ms)
local surplus = redis.call('ZRANGE', orphans, '-inf', mark - most, 'BYSCORE', 'LIMIT', 0, 100)
for _, former in ipairs(surplus) do
    redis.call('ZREM', orphans, former)
end
return surplus
