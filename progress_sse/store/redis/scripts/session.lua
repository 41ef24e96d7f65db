-- The functions that all scripts of one session share; they are concatenated before each of them.

local state, log, idempotency_keys, idempotency_ranks, tombstone = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local candidate_epoch, publish_command, channel = ARGV[1], ARGV[2], ARGV[3]
local known_epoch, known_n, known_revision, ended_epochs = ARGV[4], ARGV[5], ARGV[6], ARGV[7]

local function integer(number)
    return string.format('%.0f', number)
end

local function refuse_damage()
    error({err = 'DAMAGED Another program has changed the session.'})
end

-- A count in the state, 0 without one; anything else there fails the script before its first write.
local function count(stored)
    if stored and not string.match(stored, '^%d+$') then
        refuse_damage()
    end
    return tonumber(stored or 0)
end

local function replication_id()
    local info = redis.call('INFO', 'replication')
    if not string.find(info, 'role:master', 1, true) then
        error({err = 'READONLY This is a replica.'})
    end
    return string.match(info, 'master_replid:(%x+)')
end

local function revision_after(previous)
    local time = redis.call('TIME')
    return integer(math.max(time[1] * 1000000 + time[2], tonumber(previous) + 1))
end

local function publish(revision, previous, message)
    redis.call(publish_command, channel, revision .. ' ' .. previous .. '\n' .. message)
end

-- Whether the stored state follows on the state that the caller knows.
-- Another epoch follows if it began after that state.
local function follows_known_state(epoch, n, revision, beginning)
    local has_ended = string.find(ended_epochs, ' ' .. epoch .. ' ', 1, true)
    if has_ended or (tonumber(revision) or 0) < tonumber(known_revision) then
        return false
    end
    if epoch ~= known_epoch then
        local began_in, began_at = string.match(beginning or '', '^(%S+) (%d+)$')
        return began_in == epoch and tonumber(began_at) > tonumber(known_revision)
    end
    if revision == known_revision then
        return true
    end
    if (tonumber(n) or 0) <= tonumber(known_n) then
        return false
    end
    local next_n = integer(tonumber(known_n) + 1)
    local next_entry = redis.call('XRANGE', log, next_n, next_n)[1]
    return not next_entry or string.match(next_entry[1], '%d+$') == known_revision
end

-- Whether the log is ahead of the state: one of them was rolled back, or a commit was refused between the two.
local function is_log_ahead(n)
    return tonumber(n) and #redis.call('XRANGE', log, integer(tonumber(n) + 1), '+', 'COUNT', 1) > 0
end

local function rebind_epoch(n, revision, replid)
    redis.call('XLEN', log)  -- A foreign value there fails the script before its first write.
    redis.call('DEL', log)
    local rebound_at = revision_after(math.max(tonumber(revision) or 0, tonumber(known_revision)))
    redis.call('HSET', state, 'epoch', candidate_epoch, 'revision', rebound_at, 'log_bytes', 0, 'incarnation', replid)
    redis.call('HSET', state, 'beginning', candidate_epoch .. ' ' .. rebound_at)
    publish(rebound_at, revision, '["' .. candidate_epoch .. '",' .. n .. ',"",false]')
    return candidate_epoch, n, rebound_at
end

-- Returns epoch, n and revision, after a rebind where one is due.
-- Without a session: '', '0', and the revision of its removal, or '0'.
local function load_current()
    local stored = redis.call('HMGET', state, 'epoch', 'n', 'revision', 'incarnation', 'beginning')
    local epoch, n, revision = stored[1], stored[2], stored[3]
    if not epoch then
        local removal = redis.call('GET', tombstone)
        return '', '0', string.match(removal or '', '^%d+') or '0'
    end
    if not n or not revision then
        refuse_damage()
    end
    count(n)
    count(revision)
    local replid = replication_id()
    if stored[4] == replid and follows_known_state(epoch, n, revision, stored[5]) and not is_log_ahead(n) then
        return epoch, n, revision
    end
    return rebind_epoch(n, revision, replid)
end
