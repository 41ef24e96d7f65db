
-- Ends a claim: the notice is 'gone', 'dead', or waits for another try; 'drop' needs no claim.
-- Returns 0 if the notice has another claim; else 1, and place and time of the next one of its lane, if that has one.

local headers, bodies = KEYS[1], KEYS[2]
local id, claim, result, due, wait, tries, first_try = unpack(ARGV)

local notice = parse_header(redis.call('HGET', headers, id) or '')
if not notice or (result ~= 'drop' and (notice[CLAIM] ~= claim or notice[STATE] == 'd')) then
    return {0}
end
notice[CLAIM], notice[CLAIMED_UNTIL] = '-', '0'
if result == 'later' then
    notice[DUE], notice[WAIT], notice[TRIES], notice[FIRST_TRY] = due, wait, tries, first_try
    store_header(headers, id, notice)
    return {1}
end
if result == 'dead' then
    notice[STATE] = 'd'
    store_header(headers, id, notice)
else
    redis.call('HDEL', headers, id)
    redis.call('HDEL', bodies, id)
    if redis.call('HLEN', bodies) == 0 then
        redis.call('DEL', headers)
    end
end
local first = load_lane(headers, notice[QUEUE], notice[LANE])[1]
if first then
    return {1, first[PLACE], first[DUE]}
end
return {1}
