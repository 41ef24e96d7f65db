
-- Notices of one session: a hash of what is known of each, by its id, and one of their bodies.
-- A header has its fields in this order; `-` stands for none.

local RANK, STATE, DUE, WAIT, TRIES, FIRST_TRY, CLAIM, CLAIMED_UNTIL, QUEUE, LANE, MADE, PLACE = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12

local function whole(number)
    return string.format('%.0f', number)
end

local function parse_header(header)
    local notice = {}
    for field in string.gmatch(header, '%S+') do
        notice[#notice + 1] = field
    end
    return #notice == PLACE and notice or nil
end

-- Returns the notices that wait in a lane of a queue, in the order of their commits.
local function load_lane(headers, queue, lane)
    local stored, found = redis.call('HGETALL', headers), {}
    for i = 1, #stored, 2 do
        local notice = parse_header(stored[i + 1])
        if notice and notice[STATE] == 'w' and notice[QUEUE] == queue and notice[LANE] == lane then
            notice.id = stored[i]
            found[#found + 1] = notice
        end
    end
    table.sort(found, function(one, other) return tonumber(one[RANK]) < tonumber(other[RANK]) end)
    return found
end

local function store_header(headers, id, notice)
    redis.call('HSET', headers, id, table.concat(notice, ' '))
end

local function next_rank(headers)
    local rank = tonumber(redis.call('HGET', headers, 'rank') or 0) + 1
    redis.call('HSET', headers, 'rank', whole(rank))
    return whole(rank)
end

-- Drops notices that are older than that, of whatever queue.
local function drop_old(headers, bodies, oldest)
    local stored = redis.call('HGETALL', headers)
    for i = 1, #stored, 2 do
        local notice = parse_header(stored[i + 1])
        if notice and tonumber(notice[MADE]) < oldest then
            redis.call('HDEL', headers, stored[i])
            redis.call('HDEL', bodies, stored[i])
        end
    end
end

-- Keeps the notices of a commit; returns for each that has to go for them: its queue, and its place in the index.
local function keep_notices(headers, bodies, notices, lifetime_ms)
    local gone = {}
    drop_old(headers, bodies, tonumber(notices[4]) - tonumber(lifetime_ms))
    for i = 1, #notices, 7 do
        local id, queue, lane, made, place, body, most = unpack(notices, i, i + 6)
        local notice = {next_rank(headers), 'w', made, '0', '0', '-', '-', '0', queue, lane, made, place}
        redis.call('HSET', bodies, id, body)
        store_header(headers, id, notice)
        local waiting = load_lane(headers, queue, lane)
        for n = 1, #waiting - tonumber(most) do
            redis.call('HDEL', headers, waiting[n].id)
            redis.call('HDEL', bodies, waiting[n].id)
            gone[#gone + 1] = queue
            gone[#gone + 1] = waiting[n][PLACE]
        end
    end
    redis.call('PEXPIRE', headers, lifetime_ms)
    redis.call('PEXPIRE', bodies, lifetime_ms)
    return gone
end
