-- Notes signs of life, if the session is at the expected position; returns 1 if it is.

local state = KEYS[1]
local current = redis.call('HMGET', state, 'epoch', 'n')
if current[1] ~= ARGV[1] or current[2] ~= ARGV[2] then
    return 0
end
local signs = {}
for i = 4, #ARGV do
    signs[#signs + 1] = ARGV[i]
end
note_signs(state, signs)
for _, key in ipairs(KEYS) do
    redis.call('PEXPIRE', key, ARGV[3])
end
return 1
