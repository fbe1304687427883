-- Messages that become live, or are done at once, and the news of it.

-- Make `m`, which has just become live as number m.live, findable for a replay and for its end.
local function enter(m, keep)
    call('ZADD', P .. 'over', m.till, in_order(m))
    for _, room in ipairs(rooms_of(m)) do
        local key = live_key(m, room)
        call('ZADD', key, m.live, m.id)
        outlive(key, keep)
    end
end

-- End what `m`, now live or done, replaces. At most one message of a slot is live.
local function supersede(m, at_ms, keep)
    if not m.slot then
        return {}
    end
    local ended, key = {}, P .. 'slot:' .. m.slot
    local holder = call('GET', key)
    if holder then
        local before = find(holder)
        -- Else the slot has outlived its holder, whose id may be another message's by now.
        if before and before.slot == m.slot and before.state == 'live' then
            ended[1] = finish(before, 'cancelled', 'replaced', at_ms)
        end
    end
    if m.state == 'live' then
        call('SET', key, m.id)
        outlive(key, keep)
    end
    return ended
end

-- What is to be told of those that became live in this script, told at its end: one that another has replaced
-- meanwhile is not shown at all, and what it has replaced itself is left to its successor.
local shown, waiting = {}, {}

local function show(m, due, superseded)
    local taken_back = {}
    for _, ended in ipairs(superseded) do
        local earlier = waiting[ended.m.id]
        if earlier then
            earlier.replaced = true
            for _, each in ipairs(earlier.taken_back) do
                taken_back[#taken_back + 1] = each
            end
        else
            taken_back[#taken_back + 1] = ended
        end
    end
    local one = {m = m, due = due, taken_back = taken_back}
    waiting[m.id] = one
    shown[#shown + 1] = one
end

local function tell_shown()
    for _, one in ipairs(shown) do
        if not one.replaced then
            local m, no, taken_back = one.m, take_numbers(1), {}
            for _, ended in ipairs(one.taken_back) do
                taken_back[#taken_back + 1] = log_ended(ended, no)
            end
            if m.state == 'live' then
                call('ZADD', P .. 'news', no, 'L:' .. m.id)
            end
            call('PUBLISH', channel(m), '{"kind":"live","no":' .. text(no) .. ',"due":' .. one.due .. ',"message":'
                .. m.body .. ',"superseded":[' .. table.concat(taken_back, ',') .. ']}')
        end
    end
end
