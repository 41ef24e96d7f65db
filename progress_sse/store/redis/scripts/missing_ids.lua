-- Returns a page of the index: the last entry of the page, and those that are not there by their ids.
-- Where `by_id` is 1, it removes a page of ids that are not in the index, and returns its last one.
-- An entry has a time stamp without spaces, a space, and an id; an entry by its id has the id, a zero, the time stamp.

local index, ids = KEYS[1], KEYS[2]
local start, by_id, most = ARGV[1], ARGV[2] == '1', ARGV[3]
local page = redis.call('ZRANGE', by_id and ids or index, start, '+', 'BYLEX', 'LIMIT', 0, most)
local missing = {}
for _, entry in ipairs(page) do
    if by_id then
        local id, created_at = string.match(entry, '^(.*)%z(%Z+)$')
        if not redis.call('ZSCORE', index, created_at .. ' ' .. id) then
            redis.call('ZREM', ids, entry)
        end
    else
        local created_at, id = string.match(entry, '^(%S+) (.*)$')
        if not redis.call('ZSCORE', ids, id .. '\0' .. created_at) then
            missing[#missing + 1] = entry
        end
    end
end
return {page[#page] or false, missing}
