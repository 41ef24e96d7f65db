local index, entry, max_sessions = KEYS[1], ARGV[1], ARGV[2]
if not redis.call('ZSCORE', index, entry) then
    if max_sessions ~= '' and redis.call('ZCARD', index) >= tonumber(max_sessions) then
        return 0
    end
    redis.call('ZADD', index, 0, entry)
end
return 1
