-- Enters a session that is about to change into sets of sessions.

local registry, member = KEYS[1], ARGV[1]
for i = 2, #KEYS do
    redis.call('ZADD', KEYS[i], 0, member)
    redis.call('ZADD', registry, 0, KEYS[i])
end
return 1
