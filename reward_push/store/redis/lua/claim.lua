-- IMessageStore.claim. ARGV: prefix, now_ms, until_ms, missed_before_ms, limit. Answers {row, ended, …} for each.
local now_ms, until_ms, missed_before_ms, limit = tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), ARGV[5]

-- Rooms that are entered, or left, in one call at most, but for the last message's.
local room_budget = 5000

local replies = {}
for _, member in ipairs(call('ZRANGEBYSCORE', P .. 'due', '-inf', until_ms, 'LIMIT', 0, limit)) do
    if room_budget <= 0 then
        break
    end
    call('ZREM', P .. 'due', member)
    local m = find(string.sub(member, 17))
    if m and m.state == 'scheduled' then
        -- It may be claimed a little early: nothing has ended before it was due.
        local at_ms = math.max(now_ms, tonumber(m.at))
        local key, keep, superseded = P .. 'm:' .. m.id, keep_ms(m.id), {}
        if m.till then
            m.state = tonumber(m.till) > now_ms and 'live' or 'expired'
        else
            m.state = tonumber(m.at) >= missed_before_ms and 'done' or 'expired'
        end
        call('ZREM', P .. 'state:scheduled', m.id)
        call('ZADD', P .. 'state:' .. m.state, m.seq, m.id)
        m.body = call('GET', P .. 'b:' .. m.id)
        if m.state == 'live' then
            m.live = take_numbers(1)
            call('HSET', key, 'state', m.state, 'live', m.live)
            enter(m, keep)
            room_budget = room_budget - #rooms_of(m)
        else
            m.over = at_ms
            call('HSET', key, 'state', m.state, 'over', at_ms)
            call('ZADD', P .. 'ended', at_ms, m.id)
        end
        if m.state ~= 'expired' then
            superseded = supersede(m, at_ms, keep)
            show(m, 'true', superseded)
        end
        local reply = {row(m)}
        for _, ended in ipairs(superseded) do
            reply[#reply + 1] = ended_reply(ended)
        end
        replies[#replies + 1] = reply
    elseif not m then
        forget(string.sub(member, 17), 'scheduled')
    end
end
tell_shown()
keep_numbers()
return replies
