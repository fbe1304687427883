-- Messages that end, and the news of it.

-- More devices than this are not listed: nodes ask for theirs.
local LISTED = 500

local function channel(m)
    local rooms = rooms_of(m)
    if #rooms == 1 and rooms[1] ~= 'all' then
        return P .. 'room:' .. m.ns .. '|' .. rooms[1]
    end
    return P .. 'ns:' .. m.ns
end

-- The devices that had a message, but for one; false: too many to list.
local function devices_of(m, but)
    if tonumber(m.sent or 0) == 0 then
        return {}
    end
    local key = P .. 'r:' .. m.id
    if call('HLEN', key) > LISTED then
        return false
    end
    local devices = {}
    for _, device in ipairs(call('HKEYS', key)) do
        if device ~= but then
            devices[#devices + 1] = device
        end
    end
    return devices
end

-- The text of the news that `ended` tells.
local function ended_text(ended, no)
    local m, devices, but = ended.m, 'null', 'null'
    if ended.devices then
        devices = #ended.devices == 0 and '[]' or '["' .. table.concat(ended.devices, '","') .. '"]'
    end
    if m.by then
        but = '"' .. m.by .. '"'
    end
    return '{"kind":"ended","no":' .. text(no) .. ',"id":' .. cjson.encode(m.id)
        .. ',"namespace":' .. cjson.encode(m.ns) .. ',"reason":"' .. m.why .. '","rooms":' .. m.rooms
        .. ',"devices":' .. devices .. ',"but":' .. but .. '}'
end

-- The text of the news, which can be healed from as well. What happens in one step may share a number.
local function log_ended(ended, no)
    call('ZADD', P .. 'news', no, 'E:' .. ended.m.id)
    return ended_text(ended, no)
end

-- Tell everybody. Of what was not due yet nobody has heard.
local function tell_ended(ended)
    if ended.was ~= 'scheduled' then
        call('PUBLISH', channel(ended.m), log_ended(ended, take_numbers(1)))
    end
end

-- Take `m` back. `by`: the device that took it. Whoever had it is found in its receipts, and a named device
-- that is away finds it at its next connect in what it had; so this costs the same for any audience.
local function finish(m, state, why, over, by)
    local key, was = P .. 'm:' .. m.id, m.state
    m.state, m.why, m.over, m.by = state, why, over, by
    call('HSET', key, 'state', state, 'why', why, 'over', over)
    if by then
        call('HSET', key, 'by', by)
    end
    if was ~= state then
        call('ZREM', P .. 'state:' .. was, m.id)
        call('ZADD', P .. 'state:' .. state, m.seq, m.id)
    end
    call('ZADD', P .. 'ended', over, m.id)
    if was == 'scheduled' then
        call('ZREM', P .. 'due', in_order(m))
    elseif was == 'live' then
        call('HDEL', key, 'live')
        m.live = false
        call('ZREM', P .. 'over', in_order(m))
        for _, room in ipairs(rooms_of(m)) do
            call('ZREM', live_key(m, room), m.id)
        end
        if m.slot and call('GET', P .. 'slot:' .. m.slot) == m.id then
            call('DEL', P .. 'slot:' .. m.slot)
        end
    end
    return {m = m, was = was, why = why, devices = devices_of(m, by)}
end

-- How it is answered; records.py reads it.
local function ended_reply(ended)
    return {row(ended.m), ended.why, ended.devices}
end
