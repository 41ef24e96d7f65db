
-- Returns epoch, n, revision; the state, if it is wanted and the caller does not know it; the log after a position.

local wants_state, after_n, after_epoch = ARGV[8] == '1', ARGV[9], ARGV[10]
local epoch, n, revision = load_current()
local fields, entries = false, false
if epoch ~= '' then
    if wants_state and not (epoch == known_epoch and n == known_n) then
        fields = redis.call('HGETALL', state)
    end
    if after_n ~= '' then
        local first = epoch == after_epoch and integer(tonumber(after_n) + 1) or '-'
        entries = redis.call('XRANGE', log, first, '+')
    end
end
return {epoch, n, revision, fields, entries}
