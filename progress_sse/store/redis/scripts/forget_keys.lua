-- Deletes the idempotency keys of an id, unless it has a session again.

local state, idempotency_keys, idempotency_ranks = KEYS[1], KEYS[2], KEYS[3]
if redis.call('HLEN', state) == 0 then
    redis.call('DEL', idempotency_keys, idempotency_ranks)
end
