-- IMessageStore.accept. ARGV: prefix, deadline (ms), retention (ms, or empty: for ever), then 13 for each record.
-- Answers false when the deadline has passed: who asked has given up. Else for each record {row} of what was
-- there, or {false, ended, …} when it is new.
if micros() > ARGV[2] * 1000 then
    return false
end
local retention = tonumber(ARGV[3])
local now_ms = math.floor(micros() / 1000)

local function insert(m)
    local keep = retention and math.max(0, (m.till or m.at) - now_ms) + retention
    local key, body = P .. 'm:' .. m.id, P .. 'b:' .. m.id
    m.seq = take_numbers(1)
    m.live = m.state == 'live' and take_numbers(1)
    local fields = {'seq', m.seq, 'state', m.state, 'ns', m.ns, 'rooms', m.rooms, 'at', m.at, 'sha', m.sha}
    for _, name in ipairs({'till', 'over', 'once', 'slot', 'said', 'live'}) do
        if m[name] then
            fields[#fields + 1] = name
            fields[#fields + 1] = m[name]
        end
    end
    call('HSET', key, unpack(fields))
    if keep then
        call('PEXPIRE', key, keep + SLACK_MS)
        call('SET', body, m.body, 'PX', keep + SLACK_MS)
    else
        call('SET', body, m.body)
    end
    call('ZADD', P .. 'all', m.seq, m.id)
    call('ZADD', P .. 'state:' .. m.state, m.seq, m.id)
    for _, room in ipairs(rooms_of(m)) do
        if string.sub(room, 1, 9) == 'streamer:' then
            local to = P .. 'to:' .. string.sub(room, 10)
            call('ZADD', to, m.seq, m.id)
            outlive(to, keep)
        end
    end
    if m.state == 'scheduled' then
        call('ZADD', P .. 'due', m.at, in_order(m))
        return {}
    end
    if m.state == 'live' then
        enter(m, keep)
    else
        call('ZADD', P .. 'ended', m.over, m.id)
    end
    return supersede(m, m.created, keep)
end

local function given(value)
    return value ~= '' and value
end

local replies = {}
for i = 4, #ARGV, 13 do
    local known = call('EXISTS', P .. 'm:' .. ARGV[i]) == 1 and find(ARGV[i])
    if known then
        replies[#replies + 1] = {row(known)}
    else
        local m = {
            id = ARGV[i], state = ARGV[i + 1], ns = ARGV[i + 2], rooms = ARGV[i + 3], created = ARGV[i + 4],
            at = ARGV[i + 5], till = given(ARGV[i + 6]), over = given(ARGV[i + 7]), once = given(ARGV[i + 8]),
            slot = given(ARGV[i + 9]), said = given(ARGV[i + 10]), sha = ARGV[i + 11], body = ARGV[i + 12],
        }
        local superseded, reply = insert(m), {false}
        for _, ended in ipairs(superseded) do
            reply[#reply + 1] = ended_reply(ended)
        end
        if m.state ~= 'scheduled' then
            show(m, 'false', superseded)
        end
        replies[#replies + 1] = reply
    end
end
tell_shown()
keep_numbers()
return replies
