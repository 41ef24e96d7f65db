-- Enters a session into sets of sessions, before the change with which it belongs there; where entries of the index are
-- named, into the index, too. Returns 1, or 0 if the index is full.

local index, ids, registry = KEYS[1], KEYS[2], KEYS[3]
local entry, id_entry, max_sessions, member = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if entry ~= '' then
    if not redis.call('ZSCORE', index, entry) then
        if max_sessions ~= '' and redis.call('ZCARD', index) >= tonumber(max_sessions) then
            return 0
        end
        redis.call('ZADD', index, 0, entry)
    end
    redis.call('ZADD', ids, 0, id_entry)
end
for i = 4, #KEYS do
    redis.call('ZADD', KEYS[i], 0, member)
    redis.call('ZADD', registry, 0, KEYS[i])
end
return 1
