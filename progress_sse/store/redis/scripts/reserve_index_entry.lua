-- Enters a session that is about to be created into the index. Returns 1, or 0 if the index is full.

local index, entry, max_sessions = KEYS[1], ARGV[1], ARGV[2]
if not redis.call('ZSCORE', index, entry) then
    if max_sessions ~= '' and redis.call('ZCARD', index) >= tonumber(max_sessions) then
        return 0
    end
    redis.call('ZADD', index, 0, entry)
end
return 1
