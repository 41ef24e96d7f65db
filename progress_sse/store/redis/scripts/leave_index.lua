-- Removes the entries from one member to another, without that, from sets of sessions, and forgets the sets that are empty.
-- Where entries of the index are named, they go, too.

local index, ids, registry = KEYS[1], KEYS[2], KEYS[3]
local entry, id_entry, first, last = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
for i = 4, #KEYS do
    for _, member in ipairs(redis.call('ZRANGE', KEYS[i], '[' .. first, '(' .. last, 'BYLEX')) do
        redis.call('ZREM', KEYS[i], member)
    end
    if redis.call('ZCARD', KEYS[i]) == 0 then
        redis.call('ZREM', registry, KEYS[i])
    end
end
if entry ~= '' then
    redis.call('ZREM', ids, id_entry)
    redis.call('ZREM', index, entry)
end
return 1
