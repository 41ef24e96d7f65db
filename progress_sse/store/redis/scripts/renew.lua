-- Notes signs of life, if the session is at the expected position; returns 1 if it is.

local state, log = KEYS[1], KEYS[2]
local current = redis.call('HMGET', state, 'epoch', 'n')
if current[1] ~= ARGV[1] or current[2] ~= ARGV[2] then
    return 0
end
for i = 4, #ARGV, 2 do
    redis.call('HSET', state, ARGV[i], ARGV[i + 1])
end
redis.call('PEXPIRE', state, ARGV[3])
redis.call('PEXPIRE', log, ARGV[3])
return 1
