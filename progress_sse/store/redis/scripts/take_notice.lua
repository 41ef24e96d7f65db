
-- Claims a notice, and returns 'taken', its body, and how often and when first it was tried.
-- Or when to look again: 'later' and the time. 'dead', or 'gone', if it waits no more.

local headers, bodies = KEYS[1], KEYS[2]
local id, now, claim = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local claim_ms, overtake_ms, look_ms = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

local notice = parse_header(redis.call('HGET', headers, id) or '')
if not notice then
    return {'gone'}
end
if notice[STATE] == 'd' then
    return {'dead'}
end
local due, wait, made = tonumber(notice[DUE]), tonumber(notice[WAIT]), tonumber(notice[MADE])
if due > now + wait or made > now then  -- The clock was set back.
    due, made = math.min(due, now + wait), math.min(made, now)
    notice[DUE], notice[MADE] = whole(due), whole(made)
    store_header(headers, id, notice)
end
if due > now then
    return {'later', notice[DUE]}
end
local claimed_until = tonumber(notice[CLAIMED_UNTIL])
-- The clocks of servers differ, by less than a claim lasts; else the clock was set back.
if notice[CLAIM] ~= claim and claimed_until > now and claimed_until <= now + 2 * claim_ms then
    return {'later', notice[CLAIMED_UNTIL]}
end
local overtakes_at = made + overtake_ms
if overtakes_at > now and load_lane(headers, notice[QUEUE], notice[LANE])[1].id ~= id then
    return {'later', whole(math.min(overtakes_at, now + look_ms))}
end
notice[CLAIM], notice[CLAIMED_UNTIL] = claim, whole(now + claim_ms)
store_header(headers, id, notice)
return {'taken', redis.call('HGET', bodies, id) or '', notice[TRIES], notice[FIRST_TRY]}
