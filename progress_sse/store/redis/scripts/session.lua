local state, log, used, ranks, grave = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local new_epoch, publish, channel = ARGV[1], ARGV[2], ARGV[3]
local known_epoch, known_n, known_revision, ended_epochs = ARGV[4], ARGV[5], ARGV[6], ARGV[7]

local function integer(number)
    return string.format('%.0f', number)
end

local function incarnation()
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

local function tell(revision, previous, message)
    redis.call(publish, channel, revision .. ' ' .. previous .. '\n' .. message)
end

-- Whether what is stored follows on what the caller knows.
local function is_continued(epoch, n, revision)
    local has_ended = string.find(ended_epochs, ' ' .. epoch .. ' ', 1, true)
    if has_ended or (tonumber(revision) or 0) < tonumber(known_revision) then
        return false
    end
    if epoch ~= known_epoch or revision == known_revision then
        return true
    end
    if (tonumber(n) or 0) <= tonumber(known_n) then
        return false
    end
    local next_n = integer(tonumber(known_n) + 1)
    local following = redis.call('XRANGE', log, next_n, next_n)[1]
    return not following or string.match(following[1], '%d+$') == known_revision
end

-- Whether the log holds what the state never got to: one of them was put back, or a commit was refused in its middle.
local function is_overtaken(n)
    return tonumber(n) and #redis.call('XRANGE', log, integer(tonumber(n) + 1), '+', 'COUNT', 1) > 0
end

-- Returns epoch, n and revision; where there is no session '', '0', and the revision as far as it is known.
local function current()
    local kept = redis.call('HMGET', state, 'epoch', 'n', 'revision', 'incarnation')
    local epoch, n, revision = kept[1], kept[2], kept[3]
    if not epoch then
        local buried = redis.call('GET', grave)
        return '', '0', buried and string.match(buried, '^%d+') or '0'
    end
    local now = incarnation()
    if kept[4] == now and is_continued(epoch, n, revision) and not is_overtaken(n) then
        return epoch, n, revision
    end
    redis.call('XLEN', log)
    redis.call('DEL', log)
    local adopted_at = revision_after(math.max(tonumber(revision) or 0, tonumber(known_revision)))
    redis.call('HSET', state, 'epoch', new_epoch, 'revision', adopted_at, 'log_bytes', 0, 'incarnation', now)
    tell(adopted_at, revision, '["' .. new_epoch .. '",' .. n .. ',"",false]')
    return new_epoch, n, adopted_at
end
