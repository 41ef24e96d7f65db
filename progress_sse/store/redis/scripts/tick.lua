-- Moves the lease clock on, and returns its time, since when it moves, and sessions to check.
-- One server, the owner, moves the clock by its monotonic clock; another one takes over when it stands still.
-- After more than MAX_STANDSTILL_MS without a server that moved it, or where that is not known, leases count anew.
-- So they do where the clock has gone back to an earlier time: signs since then went with it.

local clock, checks = KEYS[1], KEYS[2]
local caller, seen_owner, seen = ARGV[1], ARGV[2], tonumber(ARGV[3])
local elapsed, stood, has_seen_it_move = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == '1'
local start, most, retry_ms, lifetime_ms = ARGV[7], ARGV[8], tonumber(ARGV[9]), ARGV[10]
local TAKEOVER_MS, MAX_STANDSTILL_MS = 750, 2000

local stored = redis.call('HMGET', clock, 'owner', 'now', 'since')
local owner, now, since = stored[1], tonumber(stored[2]), tonumber(stored[3])
redis.call('ZCARD', checks)  -- A foreign value there fails the script before its first write.

if not (now and since) then
    owner, now, since = caller, tonumber(start), tonumber(start)
elseif now < seen then
    owner = caller
    now = seen + (elapsed > MAX_STANDSTILL_MS and 0 or elapsed)  -- Other servers note signs by the time before.
    since = now
elseif owner == caller then
    if elapsed > MAX_STANDSTILL_MS then
        since = now
    else
        now = math.max(now, seen + elapsed)  -- A tick that is sent again, as its reply was lost, adds nothing.
    end
elseif owner == seen_owner and now == seen and stood > TAKEOVER_MS then
    owner = caller
    if has_seen_it_move and math.max(elapsed, stood) <= MAX_STANDSTILL_MS then
        now = now + stood
    else
        since = now
    end
end
if owner == caller then
    redis.call('HSET', clock, 'owner', owner, 'now', string.format('%.0f', now), 'since', string.format('%.0f', since))
    redis.call('PEXPIRE', clock, lifetime_ms)
end

local due = redis.call('ZRANGE', checks, '-inf', now, 'BYSCORE', 'LIMIT', 0, most)
for _, session_id in ipairs(due) do
    redis.call('ZADD', checks, now + retry_ms, session_id)  -- Another server checks it, should this one end.
end
return {string.format('%.0f', now), string.format('%.0f', since), owner, due}
