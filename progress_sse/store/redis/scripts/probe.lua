-- Runs each command that a session or a ticket may need, on keys that hold no session, and publishes to no listener.
-- A user without one of these rights would otherwise be refused in the middle of a commit.
-- The first write is one that a full server refuses.

local hash, stream, ranks, text = KEYS[1], KEYS[2], KEYS[4], KEYS[5]
local call = redis.call
if not string.find(call('INFO', 'replication'), 'role:master', 1, true) then
    return redis.error_reply('READONLY This is a replica.')
end
call(ARGV[1], ARGV[2], '')
call('SET', text, '', 'PX', 1000)
call('DEL', hash, stream, ranks)
call('TIME')
call('GET', text)
call('GETDEL', text)
call('HSET', hash, 'name', '')
call('PEXPIRE', hash, 1000)
call('HGET', hash, 'name')
call('HMGET', hash, 'name')
call('HGETALL', hash)
call('HLEN', hash)
call('HDEL', hash, 'name')
call('XADD', stream, '1-0', 'name', '')
call('XLEN', stream)
call('XRANGE', stream, '-', '+')
call('XTRIM', stream, 'MINID', '2')
call('ZADD', ranks, 1, 'name')
call('ZCARD', ranks)
call('ZRANGE', ranks, 0, -1)
call('ZSCORE', ranks, 'name')
call('ZREM', ranks, 'name')
call('ZPOPMIN', ranks)
return call('DEL', hash, stream, ranks)
