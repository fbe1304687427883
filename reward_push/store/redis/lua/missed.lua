-- IMessageStore.missed. ARGV: prefix, device, namespace, now_ms, after, limit, since_ms or empty, rooms.
-- Answers {cursor or false, body, …}.
local device, now_ms, after, limit = ARGV[2], tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local since_ms = tonumber(ARGV[7])

-- How many messages are looked at for one page: in each room a fair share.
local share = math.max(20, math.floor(1000 / math.max(1, #ARGV - 7)))

local function is_missed(id)
    local till = call('HGET', P .. 'm:' .. id, 'till')
    if not till or tonumber(till) <= now_ms then
        return false
    end
    local receipt = call('HGET', P .. 'r:' .. id, device)
    if not receipt then
        return true
    end
    return string.byte(receipt) < 50 and not (since_ms and tonumber(string.sub(receipt, 2)) >= since_ms)
end

-- One more than a page tells whether it is the last. What is beyond the horizon was not looked at in every room.
local found, known, horizon = {}, {}, math.huge
for i = 8, #ARGV do
    local key, from, matches, left = P .. 'live:' .. ARGV[3] .. '|' .. ARGV[i], after, 0, share
    repeat
        local asked = math.min(limit + 1, left)
        local some = call('ZRANGEBYSCORE', key, '(' .. from, '+inf', 'WITHSCORES', 'LIMIT', 0, asked)
        for n = 1, #some, 2 do
            local id, no = some[n], some[n + 1]
            from, left = no, left - 1
            if known[id] == nil then
                known[id] = is_missed(id)
                if known[id] then
                    found[#found + 1] = {no = tonumber(no), id = id}
                end
            end
            if known[id] then
                matches = matches + 1
            end
        end
        local whole = #some < 2 * asked
        if left <= 0 and not whole then
            horizon = math.min(horizon, tonumber(from))
        end
    until whole or left <= 0 or matches > limit
end

table.sort(found, function(a, b) return a.no < b.no end)
local reply = {false}
for _, each in ipairs(found) do
    if each.no > horizon or #reply > limit then
        break
    end
    reply[#reply + 1] = call('GET', P .. 'b:' .. each.id)
    reply[1] = each.no
end
if #reply <= limit and horizon < math.huge then
    reply[1] = horizon
elseif horizon == math.huge and #found <= limit then
    reply[1] = false
end
return reply
