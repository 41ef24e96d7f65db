
-- Returns the epoch, the numbers of the newest line and of the oldest one that is kept, and the lines after a number.

local lines = KEYS[6]
local after, seen_epoch, seen_last = tonumber(ARGV[8]), ARGV[9], tonumber(ARGV[10])

local epoch, n, revision = load_current()
if epoch == '' then
    return {'', 0, 1, {}}
end
local last = count(redis.call('HGET', state, 'lines_last'))
if epoch == seen_epoch and last < seen_last then
    epoch = rebind_epoch(n, revision, replication_id())
end
local first = last - redis.call('XLEN', lines) + 1
if after < 0 then
    after = math.max(0, last + after)
end
return {epoch, last, first, redis.call('XRANGE', lines, integer(after + 1), '+')}
