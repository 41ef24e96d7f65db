if redis.call('HLEN', KEYS[1]) == 0 then
    redis.call('DEL', KEYS[2], KEYS[3])
end
