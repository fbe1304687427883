-- What has happened after a number. ARGV: prefix, number, limit.
-- Answers {1 when nothing after it is forgotten, last number if there is more or false, piece, …}, each piece
-- {"L", number, id, namespace, rooms}, {"E", news} or {"K", number, key}.
local after, limit = ARGV[2], tonumber(ARGV[3])
local complete = tonumber(call('GET', P .. 'gone') or 0) <= tonumber(after)
local found = call('ZRANGEBYSCORE', P .. 'news', '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
local reply = {complete and 1 or 0, false}
if #found == 2 * limit then
    -- What happened in one step shares a number: a page ends with all of it.
    local last = found[#found]
    while found[#found] == last do
        found[#found], found[#found - 1] = nil, nil
    end
    for _, each in ipairs(call('ZRANGEBYSCORE', P .. 'news', last, last, 'WITHSCORES')) do
        found[#found + 1] = each
    end
    reply[2] = last
end
for i = 1, #found, 2 do
    local kind, id, no = string.sub(found[i], 1, 1), string.sub(found[i], 3), found[i + 1]
    if kind == 'K' then
        reply[#reply + 1] = {kind, no, id}
    else
        local m = find(id)
        if m and kind == 'L' and m.state == 'live' then
            reply[#reply + 1] = {kind, no, id, m.ns, m.rooms}
        elseif m and kind == 'E' and m.why then
            local ended = {m = m, devices = devices_of(m, m.by)}
            reply[#reply + 1] = {kind, ended_text(ended, tonumber(no))}
        end
    end
end
return reply
