
-- Applies a change, if the session is at the expected position and no idempotency key was used meanwhile.
-- Returns outcome, revision, a `created_at`, the number of idempotency keys that a removed session leaves; of a change
-- with lines, the numbers of the oldest line that is kept and of the newest; and of one with notices, those that go.

local CONFLICT, APPLIED, APPLIED_BEFORE, SIGN_SEEN, IN_DOUBT = 0, 1, 2, 3, -1

local at = 7
local function take()
    at = at + 1
    return ARGV[at]
end
local function take_list()
    local list = {}
    for i = 1, tonumber(take()) do
        list[i] = take()
    end
    return list
end
local token, expected_epoch, expected_n, kind, resets_log = take(), take(), take(), take(), take() == '1'
local is_fresh, is_removal, has_lines_alone = kind == 'fresh', kind == 'removed', kind == 'lines'
local sign, silent_since, believable_until = take(), tonumber(take()), tonumber(take())
local history, history_bytes = tonumber(take()), tonumber(take())
local lifetime_ms, key_lifetime_ms, tombstone_ms = take(), take(), take()
local message, list_channel, list_message = take(), take(), take()
local fields, entries, keys, signs = take_list(), take_list(), take_list(), take_list()
local notices, notices_lifetime_ms = take_list(), nil
if #notices > 0 then
    notices_lifetime_ms = take()
    redis.call('HLEN', KEYS[8])  -- As with the session's keys, a foreign value there fails the script.
    redis.call('HLEN', KEYS[9])
end
local has_lines = at < #ARGV

local epoch, n, revision = load_current()
local stored = redis.call('HMGET', state, 'token', 'created_at', 'log_bytes', 'born_by')
local last_token, created_by = stored[1], stored[4]
local created_at, log_bytes = stored[2] or '', count(stored[3])
local log_length = redis.call('XLEN', log)
local keys_left = redis.call('HLEN', idempotency_keys)
redis.call('ZCARD', idempotency_ranks)  -- As with XLEN, a foreign value there fails the script before its first write.

local added = has_lines and load_lines(take, is_fresh)
if has_lines and is_in(added.tokens, token, TOKEN_CHARS) then
    return {APPLIED_BEFORE, revision, '', keys_left}
end
if has_lines and not is_fresh and epoch == added.seen_epoch and added.last < added.seen_last then
    epoch, n, revision = rebind_epoch(n, revision, replication_id())
end

-- Of the session that was removed last: the commits that removed and that created it, and its `created_at`.
local is_elsewhere = epoch ~= expected_epoch or n ~= expected_n
local removed_by, removed_created_by, removed_created_at
if is_elsewhere or epoch == '' then
    local removal = redis.call('GET', tombstone) or ''
    removed_by, removed_created_by, removed_created_at = string.match(removal, '^%d+ (%S*) (%S*) (%S*)$')
end

-- The outcome of an earlier attempt.
local function earlier_outcome()
    if last_token == token or created_by == token or removed_by == token or removed_created_by == token then
        return APPLIED_BEFORE
    end
    if epoch == expected_epoch then
        local next_n = integer(tonumber(expected_n) + 1)
        local next_entry = redis.call('XRANGE', log, next_n, next_n)[1]
        if next_entry then
            return next_entry[2][6] == token and APPLIED_BEFORE or CONFLICT
        end
    end
    return IN_DOUBT
end

if has_lines_alone and epoch == expected_epoch and is_elsewhere then
    return {CONFLICT, revision, '', keys_left}
end
if is_elsewhere or removed_created_by == token or last_token == token or (has_lines_alone and epoch == '') then
    local outcome = earlier_outcome()
    if outcome == APPLIED_BEFORE then
        created_at = removed_by == token and removed_created_at or ''
    end
    return {outcome, revision, created_at, keys_left}
end
for i = 1, #keys, 3 do
    local used_at = string.match(redis.call('HGET', idempotency_keys, keys[i]) or '', '^%S*')
    if keys[i + 1] ~= '*' and keys[i + 1] ~= used_at then
        return {CONFLICT, revision, created_at, keys_left}
    end
end
if has_lines and has_known_key(added) then
    return {CONFLICT, revision, created_at, keys_left}
end
if sign ~= '' then
    local heard_at = tonumber(string.match(redis.call('HGET', state, sign) or '', '^%d+')) or 0
    if heard_at > silent_since and heard_at <= believable_until then
        return {SIGN_SEEN, revision, created_at, keys_left}
    end
end
local replid = is_fresh and replication_id()
local previous = revision
if message ~= '' then
    revision = revision_after(previous)
end

local function publish_all()
    publish(revision, previous, message)
    if list_channel ~= '' then
        redis.call(publish_command, list_channel, list_message)
    end
end

local function remember_keys()
    for i = 1, #keys, 3 do
        redis.call('HSET', idempotency_keys, keys[i], keys[i + 2])
    end
    local rank = tonumber(redis.call('ZRANGE', idempotency_ranks, -1, -1, 'WITHSCORES')[2] or 0)
    for i = 1, #keys, 3 do
        rank = rank + 1
        redis.call('ZADD', idempotency_ranks, rank, keys[i])
    end
    local surplus = redis.call('ZCARD', idempotency_ranks) - history
    local forgotten = surplus > 0 and redis.call('ZPOPMIN', idempotency_ranks, surplus) or {}
    for i = 1, #forgotten, 2 do
        redis.call('HDEL', idempotency_keys, forgotten[i])
    end
    redis.call('PEXPIRE', idempotency_keys, key_lifetime_ms)
    redis.call('PEXPIRE', idempotency_ranks, key_lifetime_ms)
end

local function renew_all()
    redis.call('PEXPIRE', state, lifetime_ms)
    redis.call('PEXPIRE', log, lifetime_ms)
    if KEYS[6] then
        redis.call('PEXPIRE', KEYS[6], lifetime_ms)  -- The log lines, of a session that has any.
        redis.call('PEXPIRE', KEYS[7], lifetime_ms)
    end
end

local gone

local function applied()
    local reply = {APPLIED, revision, created_at, keys_left}
    if has_lines then
        reply[5], reply[6] = added.last - added.kept + 1, added.last
    end
    reply[#reply + 1] = gone
    return reply
end

if has_lines_alone then
    append_lines(added, token, lifetime_ms)
    note_signs(state, signs)
    renew_all()
    publish_lines(added, epoch)
    return applied()
end
if is_fresh then
    redis.call('HSET', state, 'n', n)  -- If this is refused, the session that would be replaced is still whole.
end
if is_removal or is_fresh then
    redis.call('DEL', state, KEYS[6], KEYS[7])
end
if is_removal or is_fresh or resets_log then
    redis.call('DEL', log)
    log_bytes, log_length = 0, 0
end
if is_removal then
    redis.call('SET', tombstone, table.concat({revision, token, created_by or '', created_at}, ' '), 'PX', tombstone_ms)
    if #keys > 0 then
        remember_keys()
    end
    publish_all()
    return {APPLIED, revision, created_at, redis.call('HLEN', idempotency_keys)}
end

for i = 1, #entries, 4 do
    local fields = {'s', entries[i + 1], 'd', entries[i + 2], 't', token, 'c', entries[i + 3]}
    redis.call('XADD', log, entries[i] .. '-' .. previous, unpack(fields))
    log_length = log_length + 1
    log_bytes = log_bytes + #entries[i + 2]
end
log_length, log_bytes = trim(log, log_length, log_bytes, history, history_bytes, 4, math.max(1, #entries / 4))

redis.call('HSET', state, 'token', token, 'revision', revision, 'log_bytes', log_bytes)
for i = 1, #fields, 2 do
    redis.call('HSET', state, fields[i], fields[i + 1])
end
note_signs(state, signs)
if is_fresh then
    local beginning = redis.call('HGET', state, 'epoch') .. ' ' .. revision
    redis.call('HSET', state, 'incarnation', replid, 'born_by', token, 'beginning', beginning)
end
if #keys > 0 then
    remember_keys()
end
if #notices > 0 then
    gone = keep_notices(KEYS[8], KEYS[9], notices, notices_lifetime_ms)
    for i = 10, #KEYS do  -- The indexes of their queues, where they lie at the same server.
        local first = (i - 10) * 7
        redis.call('ZADD', KEYS[i], notices[first + 4], notices[first + 5])
        redis.call('PEXPIRE', KEYS[i], notices_lifetime_ms)
    end
end
if has_lines then
    append_lines(added, token, lifetime_ms)
end
renew_all()
if message ~= '' then
    publish_all()
end
if has_lines then
    publish_lines(added, redis.call('HGET', state, 'epoch'))
end
return applied()
