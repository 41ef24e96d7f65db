
-- Appends log lines, if the session is at the expected position; publishes them.
-- Returns the outcome, the numbers of the newest line and of the oldest one that is kept, and of each request the digest
-- of the one that came first with its key, or ''. A request that is refused has no digest: its key is only looked up.

local CONFLICT, APPLIED, APPLIED_BEFORE, IN_DOUBT = 0, 1, 2, -1
local TOKEN_CHARS, MOST_TOKENS, NAME_CHARS, KEY_CHARS, MOST_KEYS = 24, 64, 32, 64, 100

local lines, line_keys = KEYS[6], KEYS[7]
local at = 7
local function take()
    at = at + 1
    return ARGV[at]
end
local token, expected_epoch, expected_n = take(), take(), take()
local seen_epoch, seen_last = take(), tonumber(take())
local most_lines, most_bytes, most_message_bytes = tonumber(take()), tonumber(take()), tonumber(take())
local lifetime_ms, line_channel = take(), take()
local units = {}
for i = 1, tonumber(take()) do
    local unit = {name = take(), digest = take(), data = {}}
    for j = 1, tonumber(take()) do
        unit.data[j] = {take(), take()}
    end
    units[i] = unit
end

local epoch, n, revision = load_current()
local kept = redis.call('XLEN', lines)  -- A foreign value there, or at the keys, fails the script before its first write.
local tokens, keys = string.match(redis.call('GET', line_keys) or '\n', '^(%x*)\n(%x*)$')
local stored = redis.call('HMGET', state, 'lines_last', 'lines_bytes')
local last, bytes = count(stored[1]), count(stored[2])
if not tokens then
    refuse_damage()
end

-- Where a text of this width stands in a list of them; `nil` if it is none of them.
local function find(list, text, width)
    for start = 1, #list, width do
        if string.sub(list, start, start + #text - 1) == text then
            return start
        end
    end
end

local known = {}
local function note_known(i, unit)
    local start = unit.name ~= '' and find(keys, unit.name, KEY_CHARS)
    known[i] = start and string.sub(keys, start + NAME_CHARS, start + KEY_CHARS - 1) or ''
    return known[i] ~= ''
end

if find(tokens, token, TOKEN_CHARS) then
    for i, unit in ipairs(units) do
        note_known(i, unit)
    end
    return {APPLIED_BEFORE, last, last - kept + 1, known}
end
if epoch == '' or epoch ~= expected_epoch then
    return {IN_DOUBT, last, last - kept + 1, known}
end
if epoch == seen_epoch and last < seen_last then
    rebind_epoch(n, revision, replication_id())
    return {CONFLICT, last, last - kept + 1, known}
end
if n ~= expected_n then
    return {CONFLICT, last, last - kept + 1, known}
end

local added, added_bytes = {}, 0
for i, unit in ipairs(units) do
    if not note_known(i, unit) then
        for _, each in ipairs(unit.data) do
            added[#added + 1] = each
            added_bytes = added_bytes + #each[1]
        end
        if unit.digest ~= '' then
            keys = string.sub(keys .. unit.name .. unit.digest, -MOST_KEYS * KEY_CHARS)
        end
    end
end
if #added == 0 then
    return {APPLIED, last, last - kept + 1, known}
end

local previous = last
last, bytes, kept = last + #added, bytes + added_bytes, kept + #added
local cut = nil
local function is_too_long()
    return kept > most_lines or bytes > most_bytes
end
redis.call('HSET', state, 'lines_last', integer(last))  -- First: no number is used twice, even if the rest is refused.
for i, each in ipairs(added) do
    redis.call('XADD', lines, integer(previous + i) .. '-0', 'd', each[1], 'c', each[2])
end
while is_too_long() do
    local oldest = redis.call('XRANGE', lines, cut and integer(cut + 1) or '-', '+', 'COUNT', math.max(10, #added))
    if #oldest == 0 then
        kept, bytes = 0, 0
    end
    for _, entry in ipairs(oldest) do
        if is_too_long() then
            cut = tonumber(string.match(entry[1], '^%d+'))
            kept = kept - 1
            bytes = bytes - #entry[2][2]
        end
    end
end
if cut then
    redis.call('XTRIM', lines, 'MINID', integer(cut + 1))
end
redis.call('HSET', state, 'lines_bytes', integer(bytes))
tokens = string.sub(tokens .. token, -MOST_TOKENS * TOKEN_CHARS)
redis.call('SET', line_keys, tokens .. '\n' .. keys, 'PX', lifetime_ms)
redis.call('PEXPIRE', lines, lifetime_ms)
redis.call('PEXPIRE', state, lifetime_ms)
redis.call('PEXPIRE', log, lifetime_ms)
local first = last - kept + 1
local header = table.concat({epoch, integer(first), integer(last)}, ' ')
if added_bytes <= most_message_bytes then
    local message = {header}
    for i, each in ipairs(added) do
        message[i + 1] = each[1]
    end
    redis.call(publish_command, line_channel, table.concat(message, '\n'))
else
    redis.call(publish_command, line_channel, header)
end
return {APPLIED, last, first, known}
