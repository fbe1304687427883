-- IMessageStore.expire. ARGV: prefix, now_ms, limit. Answers what has ended.
local room_budget = 5000

local replies = {}
for _, member in ipairs(call('ZRANGEBYSCORE', P .. 'over', '-inf', ARGV[2], 'LIMIT', 0, ARGV[3])) do
    if room_budget <= 0 then
        break
    end
    local m = find(string.sub(member, 17))
    if m and m.state == 'live' then
        room_budget = room_budget - #rooms_of(m)
        local ended = finish(m, 'expired', 'expired', ARGV[2])
        tell_ended(ended)
        replies[#replies + 1] = ended_reply(ended)
    else
        call('ZREM', P .. 'over', member)
        if not m then
            forget(string.sub(member, 17), 'live')
        end
    end
end
keep_numbers()
return replies
