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
local token, expected_epoch, expected_n, life = take(), take(), take(), take()
local history, history_bytes = tonumber(take()), tonumber(take())
local lifetime_ms, key_lifetime_ms, grave_ms = take(), take(), take()
local message = take()
local fields, entries, keys = take_list(), take_list(), take_list()
local removes = #fields == 0

local epoch, n, revision = current()
local kept = redis.call('HMGET', state, 'token', 'created_at', 'log_bytes', 'born_by')
local created_at, log_bytes = kept[2] or '', tonumber(kept[3] or 0)
local log_length = redis.call('XLEN', log)
local keys_left = redis.call('HLEN', used)
redis.call('ZCARD', ranks)

local is_elsewhere = epoch ~= expected_epoch or n ~= expected_n
local removed_by, buried, buried_at
if is_elsewhere or epoch == '' then
    removed_by, buried, buried_at = string.match(redis.call('GET', grave) or '', '^%d+ (%S*) (%S*) (%S*)$')
end

-- What became of an earlier attempt.
local function outcome()
    if kept[1] == token or kept[4] == token or removed_by == token or buried == token then
        return 2
    end
    if epoch == expected_epoch then
        local next_n = integer(tonumber(expected_n) + 1)
        local following = redis.call('XRANGE', log, next_n, next_n)[1]
        if following then
            return following[2][6] == token and 2 or 0
        end
    end
    return -1
end

if is_elsewhere or buried == token or kept[1] == token then
    local found = outcome()
    if found == 2 then
        created_at = removed_by == token and buried_at or ''
    end
    return {found, revision, created_at, keys_left}
end
for i = 1, #keys, 3 do
    if string.match(redis.call('HGET', used, keys[i]) or '', '^%S*') ~= keys[i + 1] then
        return {0, revision, created_at, keys_left}
    end
end
local now = life ~= '' and incarnation()
local previous = revision
if message ~= '' then
    revision = revision_after(previous)
end

local function remember_keys()
    for i = 1, #keys, 3 do
        redis.call('HSET', used, keys[i], keys[i + 2])
    end
    local rank = tonumber(redis.call('ZRANGE', ranks, -1, -1, 'WITHSCORES')[2] or 0)
    for i = 1, #keys, 3 do
        rank = rank + 1
        redis.call('ZADD', ranks, rank, keys[i])
    end
    local surplus = redis.call('ZCARD', ranks) - history
    local forgotten = surplus > 0 and redis.call('ZPOPMIN', ranks, surplus) or {}
    for i = 1, #forgotten, 2 do
        redis.call('HDEL', used, forgotten[i])
    end
    redis.call('PEXPIRE', used, key_lifetime_ms)
    redis.call('PEXPIRE', ranks, key_lifetime_ms)
end

if life ~= '' then
    redis.call('HSET', state, 'n', n)  -- Refused here, it leaves the session that it would replace.
end
if removes or life ~= '' then
    redis.call('DEL', state, log)
    log_bytes, log_length = 0, 0
end
if removes then
    local born_by = kept[4] or ''
    redis.call('SET', grave, table.concat({revision, token, born_by, created_at}, ' '), 'PX', grave_ms)
    if #keys > 0 then
        remember_keys()
    end
    tell(revision, previous, message)
    return {1, revision, created_at, redis.call('HLEN', used)}
end

for i = 1, #entries, 3 do
    redis.call('XADD', log, entries[i] .. '-' .. previous, 's', entries[i + 1], 'd', entries[i + 2], 't', token)
    log_length = log_length + 1
    log_bytes = log_bytes + #entries[i + 2]
end
local function is_too_long()
    return log_length > history or log_bytes > history_bytes
end
local last = nil
while is_too_long() do
    local oldest = redis.call('XRANGE', log, last and integer(last + 1) or '-', '+', 'COUNT', math.max(1, #entries / 3))
    if #oldest == 0 then
        log_length, log_bytes = 0, 0
    end
    for _, entry in ipairs(oldest) do
        if is_too_long() then
            last = tonumber(string.match(entry[1], '^%d+'))
            log_length = log_length - 1
            log_bytes = log_bytes - #entry[2][4]
        end
    end
end
if last then
    redis.call('XTRIM', log, 'MINID', integer(last + 1))
end

redis.call('HSET', state, 'token', token, 'revision', revision, 'log_bytes', log_bytes)
for i = 1, #fields, 2 do
    redis.call('HSET', state, fields[i], fields[i + 1])
end
if life ~= '' then
    redis.call('HSET', state, 'incarnation', now, 'born_by', token)
end
if #keys > 0 then
    remember_keys()
end
redis.call('PEXPIRE', state, lifetime_ms)
redis.call('PEXPIRE', log, lifetime_ms)
if message ~= '' then
    tell(revision, previous, message)
end
return {1, revision, created_at, keys_left}
