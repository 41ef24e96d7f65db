"""What runs inside of Redis: each script is atomic, and running it again changes nothing more.

**A commit is applied once, however often it is sent.** It bears a random token, which stays with the session and with
each transition, and in the grave once the session is gone. Who sends a commit again because no answer came is told by
it what became of the first attempt.

**Revisions tell which of two things said of a session is newer**, across all its epochs: each change has a greater one
than the one before. They begin with the server's clock, and outlast a removed session in its *grave*. Should the clock
be set back by more than the grave lasts, a listener meets a revision that is too small, and asks. They also form a
chain: each transition in the log, and each message, names the revision that it follows on.

**The epoch is new whenever the log may have lost something.** A server that starts on an old dump or a restored folder,
or a replica that takes over, silently goes back in time; once the session has moved on again, numbers alone would not
show that. So a script that finds a session in such a state *adopts* it first: the session gets a new epoch at the same
`n`, and an empty log. Readers then get a snapshot, and never steps of a history whose beginning they have not seen.

- A session keeps the *incarnation* under which it was written: the replication id, which every server changes when it
  starts and when it becomes master. In another incarnation it is adopted. From inside, a server that lost nothing looks
  like one that was put back, so a restart always costs the readers a snapshot.
- A server whose memory goes back keeps its replication id: a virtual machine that is rolled back, keys that `RESTORE`
  puts back. So each caller says what it knows of the session. Where what is stored is older than that, does not follow
  on it, or is of an epoch that the caller saw end, the session is adopted.

Every script first reads each key that it may write, so that a foreign value of another type fails it before it has
changed anything. A full server refuses the first write of a script or none: a transition's needs room, and so does a
creation's; whatever deletes goes through.

**A user who lacks a right is refused in the middle of a script**, and what was written before stays. So a commit writes
the log, then the state, then the keys, and last what it can do without. The state and the keys need the same right, so
no key is remembered of what was not applied. A log that was written alone reaches beyond the state: the session is
adopted.
"""

import hashlib
from typing import Final, NamedTuple

GRAVE_MS: Final = 600_000
"""Milliseconds for which a removed session's last revision is kept: longer than any message takes."""


class Script(NamedTuple):
    """A script in Lua, and the digest by which Redis knows it."""

    source: str
    sha: str

    @classmethod
    def of(cls, source: str) -> "Script":
        """Digest the source as Redis does."""
        return cls(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


_SESSION: Final = """
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
    redis.call(publish, channel, revision .. ' ' .. previous .. '\\n' .. message)
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
"""

READ: Final = Script.of(
    _SESSION
    + """
local wants_state, after_n, after_epoch = ARGV[8] == '1', ARGV[9], ARGV[10]
local epoch, n, revision = current()
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
"""
)
"""The session, unless it is where the caller knows it to be; and its transitions after a position, if asked for."""

APPLIED: Final = 1
"""The commit was applied by this very run."""
APPLIED_BEFORE: Final = 2
"""The commit had been applied already."""
DOUBTFUL: Final = -1
"""The session is elsewhere; if the commit was sent before, nobody knows whether it was applied then."""

COMMIT: Final = Script.of(
    _SESSION
    + """
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
"""
)
"""A change, applied if the session is where it expects it, and its idempotency keys were not used meanwhile; returns
outcome (0 if it was never applied), revision, a `created_at` (that of the session before the change, if that is known,
or of the one that is elsewhere), and how many idempotency keys a session that is removed leaves."""

ORPHAN: Final = Script.of("""
local orphans, id, count, most, lifetime_ms = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local mark = tonumber(redis.call('ZRANGE', orphans, -1, -1, 'WITHSCORES')[2] or 0) + count
redis.call('ZADD', orphans, mark, id)
redis.call('PEXPIRE', orphans, lifetime_ms)
local surplus = redis.call('ZRANGE', orphans, '-inf', mark - most, 'BYSCORE', 'LIMIT', 0, 100)
for _, former in ipairs(surplus) do
    redis.call('ZREM', orphans, former)
end
return surplus
""")
"""Enters an id whose session was removed with the number of keys that it leaves; returns ids whose keys have to go,
because so many were left after them. Scores add up: between two of them lie as many keys as were left meanwhile."""

FORGET: Final = Script.of("""
if redis.call('HLEN', KEYS[1]) == 0 then
    redis.call('DEL', KEYS[2], KEYS[3])
end
""")
"""Lets go of the idempotency keys of an id, unless there is a session again."""

RESERVE: Final = Script.of("""
local index, entry, max_sessions = KEYS[1], ARGV[1], ARGV[2]
if not redis.call('ZSCORE', index, entry) then
    if max_sessions ~= '' and redis.call('ZCARD', index) >= tonumber(max_sessions) then
        return 0
    end
    redis.call('ZADD', index, 0, entry)
end
return 1
""")
"""A place in the index for a session that is about to be created; 0 if there is none left."""

TOUCH: Final = Script.of("""
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
""")
"""Each command that a session or a ticket may need, where no session is, and a message that has no listener: a user who
lacks the right to one would be refused in the middle of a commit. The first write is one that a full server refuses."""
