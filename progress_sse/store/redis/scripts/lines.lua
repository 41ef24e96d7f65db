-- The log lines of a commit, and the keys of the requests that they came with.

local TOKEN_CHARS, MOST_TOKENS, NAME_CHARS, KEY_CHARS, MOST_KEYS = 24, 64, 32, 64, 100

-- Whether a text is one of a list of texts of a width, or the beginning of one.
local function is_in(list, text, width)
    for start = 1, #list, width do
        if string.sub(list, start, start + #text - 1) == text then
            return true
        end
    end
    return false
end

-- Drops the oldest entries of a stream beyond the limits, and returns how many are left, and their bytes.
-- `place` is where each entry has its data, and `count` how many are read at once.
local function trim(stream, length, bytes, most, most_bytes, place, count)
    local last = nil
    local function is_too_long()
        return length > most or bytes > most_bytes
    end
    while is_too_long() do
        local oldest = redis.call('XRANGE', stream, last and integer(last + 1) or '-', '+', 'COUNT', count)
        if #oldest == 0 then
            length, bytes = 0, 0
        end
        for _, entry in ipairs(oldest) do
            if is_too_long() then
                last = tonumber(string.match(entry[1], '^%d+'))
                length = length - 1
                bytes = bytes - #(entry[2][place] or '')
            end
        end
    end
    if last then
        redis.call('XTRIM', stream, 'MINID', integer(last + 1))
    end
    return length, bytes
end

-- Returns the log as it is, with what a commit adds to it. A new session has a log of its own.
local function load_lines(take, is_fresh)
    local log = {seen_epoch = take(), seen_last = tonumber(take()), most_lines = tonumber(take())}
    log.most_bytes, log.most_message_bytes, log.channel, log.new_keys = tonumber(take()), tonumber(take()), take(), take()
    log.added, log.added_bytes = {}, 0
    local data = take()
    while data do
        log.added[#log.added + 1] = {data, take()}
        log.added_bytes = log.added_bytes + #data
        data = take()
    end
    log.kept = redis.call('XLEN', KEYS[6])  -- A foreign value there, or at the keys, fails the script.
    log.tokens, log.keys = string.match(redis.call('GET', KEYS[7]) or '\n', '^(%x*)\n(%x*)$')
    local stored = redis.call('HMGET', state, 'lines_last', 'lines_bytes')
    log.last, log.bytes = count(stored[1]), count(stored[2])
    if not log.tokens then
        refuse_damage()
    end
    if is_fresh then
        log.kept, log.tokens, log.keys, log.last, log.bytes = 0, '', '', 0, 0
    end
    return log
end

local function has_known_key(log)
    for start = 1, #log.new_keys, KEY_CHARS do
        if is_in(log.keys, string.sub(log.new_keys, start, start + NAME_CHARS - 1), KEY_CHARS) then
            return true
        end
    end
    return false
end

-- Appends the lines, and drops the oldest ones beyond the limits. The token names the commit.
local function append_lines(log, token, lifetime_ms)
    local previous = log.last
    log.last, log.bytes, log.kept = previous + #log.added, log.bytes + log.added_bytes, log.kept + #log.added
    redis.call('HSET', state, 'lines_last', integer(log.last))  -- First: no number is used twice if the rest is refused.
    for i, each in ipairs(log.added) do
        redis.call('XADD', KEYS[6], integer(previous + i) .. '-0', 'd', each[1], 'c', each[2])
    end
    local count = math.max(10, #log.added)
    log.kept, log.bytes = trim(KEYS[6], log.kept, log.bytes, log.most_lines, log.most_bytes, 2, count)
    redis.call('HSET', state, 'lines_bytes', integer(log.bytes))
    local tokens = string.sub(log.tokens .. token, -MOST_TOKENS * TOKEN_CHARS)
    local keys = string.sub(log.keys .. log.new_keys, -MOST_KEYS * KEY_CHARS)
    redis.call('SET', KEYS[7], tokens .. '\n' .. keys, 'PX', lifetime_ms)
end

local function publish_lines(log, epoch)
    local message = {table.concat({epoch, integer(log.last - log.kept + 1), integer(log.last)}, ' ')}
    if log.added_bytes <= log.most_message_bytes then
        for i, each in ipairs(log.added) do
            message[i + 1] = each[1]
        end
    end
    redis.call(publish_command, log.channel, table.concat(message, '\n'))
end

