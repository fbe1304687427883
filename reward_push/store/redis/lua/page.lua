-- IMessageStore.page. ARGV: prefix, state or empty, streamer or empty, limit, cursor or "+inf".
-- Answers {cursor or false, row, …}.
local state, streamer, limit = ARGV[2], ARGV[3], tonumber(ARGV[4])
local key, looked_at = P .. 'all', limit + 1
if streamer ~= '' then
    key = P .. 'to:' .. streamer
    if state ~= '' then
        looked_at = math.max(looked_at, 1000)
    end
elseif state ~= '' then
    key = P .. 'state:' .. state
end
local before = ARGV[5] == '+inf' and '+inf' or '(' .. ARGV[5]
local found = call('ZREVRANGEBYSCORE', key, before, '-inf', 'WITHSCORES', 'LIMIT', 0, looked_at)
local reply, last = {false}, nil
for i = 1, #found, 2 do
    local id = found[i]
    if state == '' or streamer == '' or call('HGET', P .. 'm:' .. id, 'state') == state then
        if #reply > limit then
            reply[1] = last
            return reply
        end
        local m = find(id)
        if m then
            reply[#reply + 1] = row(m)
        end
    end
    last = found[i + 1]
end
-- Here more is looked at than is shown, or there is nothing more.
if #found == 2 * looked_at then
    reply[1] = last
end
return reply
