-- IMessageStore.owed, a piece of it. ARGV: prefix, device, namespace, after, limit.
-- Answers {after or false, id, reason, …}. What the device had and is not to hear of any more is forgotten.
local key, device, limit = P .. 'had:' .. ARGV[2], ARGV[2], tonumber(ARGV[5])
local had = call('ZRANGEBYSCORE', key, '(' .. ARGV[4], '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
local reply = {false}
for i = 1, #had, 2 do
    local id = had[i]
    local m = call('HMGET', P .. 'm:' .. id, 'state', 'ns', 'why', 'by', 'once', 'till')
    local state, ns, why, by, once, till = m[1], m[2], m[3], m[4], m[5], m[6]
    if why and by ~= device then
        if ns == ARGV[3] then
            reply[#reply + 1] = id
            reply[#reply + 1] = why
        end
    elseif not (state == 'live' or state == 'scheduled' or (state == 'done' and once and not till)) or why then
        call('ZREM', key, id)
    end
end
if #had == 2 * limit then
    reply[1] = had[#had]
end
return reply
