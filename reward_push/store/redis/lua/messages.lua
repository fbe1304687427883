-- Messages as they are kept: m:<id> has all but the body, b:<id> the body as JSON text, which is never read here.

local function find(id)
    local found = call('HMGET', P .. 'm:' .. id, 'seq', 'state', 'ns', 'rooms', 'at', 'till', 'over', 'why',
        'once', 'slot', 'live', 'said', 'sent', 'dlvd', 'ackd', 'by', 'sha')
    if not found[1] then
        return nil
    end
    return {
        id = id, seq = found[1], state = found[2], ns = found[3], rooms = found[4], at = found[5], till = found[6],
        over = found[7], why = found[8], once = found[9], slot = found[10], live = found[11], said = found[12],
        sent = found[13], dlvd = found[14], ackd = found[15], by = found[16], sha = found[17],
    }
end

-- A message as it is answered; records.py reads it.
local function row(m)
    local body = m.body or call('GET', P .. 'b:' .. m.id)
    return {m.seq, m.state, m.over, m.said, m.sent, m.dlvd, m.ackd, m.sha, body}
end

-- A member that is in the order of acceptance among those of equal score; its id follows 16 digits.
local function in_order(m)
    return string.format('%016.0f', m.seq) .. m.id
end

-- The rooms a message is for.
local function rooms_of(m)
    if not m.decoded then
        m.decoded = cjson.decode(m.rooms)
    end
    return m.decoded
end

-- For how many milliseconds what belongs to a message is to be kept; nil: for ever.
local function keep_ms(id)
    local left = call('PTTL', P .. 'm:' .. id)
    if left < 0 then
        return nil
    end
    return math.max(0, left - SLACK_MS)
end

local function live_key(m, room)
    return P .. 'live:' .. m.ns .. '|' .. room
end

-- A message in `state` has expired, as no node ran for long: leave no trace of it in what never does.
local function forget(id, state)
    call('ZREM', P .. 'all', id)
    call('ZREM', P .. 'state:' .. state, id)
end
