-- Forget messages that ended long ago. ARGV: prefix, before_ms, limit. Answers 1 when there is more to forget.
-- What a device had is left: it is looked through at its next connect, or expires.
local room_budget = 2000
local limit = tonumber(ARGV[3])
local ended = call('ZRANGEBYSCORE', P .. 'ended', '-inf', ARGV[2], 'LIMIT', 0, limit)
for _, id in ipairs(ended) do
    if room_budget <= 0 then
        return 1
    end
    local m = call('HMGET', P .. 'm:' .. id, 'state', 'rooms')
    if m[1] then
        call('ZREM', P .. 'state:' .. m[1], id)
        for _, room in ipairs(cjson.decode(m[2])) do
            if string.sub(room, 1, 9) == 'streamer:' then
                call('ZREM', P .. 'to:' .. string.sub(room, 10), id)
                room_budget = room_budget - 1
            end
        end
    else
        for _, state in ipairs({'done', 'expired', 'cancelled'}) do
            forget(id, state)
        end
    end
    call('ZREM', P .. 'all', id)
    call('ZREM', P .. 'ended', id)
    call('UNLINK', P .. 'm:' .. id, P .. 'b:' .. id, P .. 'r:' .. id)
end
return #ended == limit and 1 or 0
