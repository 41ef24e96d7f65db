-- Returns how many sessions the index has, whether so few ids lie between two bounds that they are to be sorted, and the
-- length of each set. Few are less than the root of `limit` times the least length.

local index, ids, first, last, limit = KEYS[1], KEYS[2], ARGV[1], ARGV[2], tonumber(ARGV[3])
local total = redis.call('ZCARD', index)
local plan, least = {total, 0}, total
for i = 3, #KEYS do
    plan[i] = redis.call('ZCARD', KEYS[i])
    least = math.min(least, plan[i])
end
local few = math.floor(math.sqrt(limit * least))
if #redis.call('ZRANGE', ids, first, last, 'BYLEX', 'LIMIT', few, 1) == 0 then
    plan[2] = 1
end
return plan
