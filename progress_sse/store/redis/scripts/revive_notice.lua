
-- Lets a dead notice wait again, behind all others of its session; returns 1, or 0 if it is not dead.

local headers, id, now = KEYS[1], ARGV[1], ARGV[2]

local notice = parse_header(redis.call('HGET', headers, id) or '')
if not notice or notice[STATE] ~= 'd' then
    return 0
end
notice[RANK], notice[STATE], notice[DUE] = next_rank(headers), 'w', now
notice[WAIT], notice[TRIES], notice[FIRST_TRY] = '0', '0', '-'
store_header(headers, id, notice)
return 1
