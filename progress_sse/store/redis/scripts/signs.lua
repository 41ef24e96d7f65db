-- Notes signs of life in a session's state: of each its field, its time, its text, and whether it is the first one.
-- An earlier sign that arrives late does not replace a later one.
local function note_signs(key, signs)
    for i = 1, #signs, 4 do
        local heard_at = tonumber(string.match(redis.call('HGET', key, signs[i]) or '', '^%d+')) or 0
        if signs[i + 3] == '1' or tonumber(signs[i + 1]) >= heard_at then
            redis.call('HSET', key, signs[i], signs[i + 1] .. ' ' .. signs[i + 2])
        end
    end
end
