-- IMessageStore.open_device. ARGV: prefix, [key, streamer] as JSON, now_ms, counters wanted, and if it has one
-- the device's name. Answers {identity, first of the counters, the named device's text}, or false when there
-- are no identities left.
local KEPT, MAX_IDENTITY, FRESH_MS = 20, 16777215, 3600000
local owner, now_ms, wanted, name = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]

local identity = call('HGET', P .. 'ident', owner)
if not identity then
    local new = call('HLEN', P .. 'ident') + 1
    if new > MAX_IDENTITY then
        return false
    end
    identity = text(new)
    call('HSET', P .. 'ident', owner, identity)
    call('HSET', P .. 'who', identity, owner)
end
local first = 0
if wanted > 0 then
    first = take_numbers(wanted)
end
if not name then
    keep_numbers()
    return {identity, first}
end

local key = P .. 'dev:' .. identity
local known, count, latest, oldest, oldest_at = call('HGETALL', key), 0, 0, nil, math.huge
local device, used_at
for i = 1, #known, 2 do
    local number, used = string.match(known[i + 1], '^([^ ]+) (.+)$')
    used = tonumber(used)
    count = count + 1
    latest = math.max(latest, used)
    if known[i] == name then
        device, used_at = number, used
    elseif used < oldest_at then
        oldest, oldest_at = {name = known[i], number = number}, used
    end
end
if not device then
    device, used_at, count = text(take_numbers(1)) .. '+' .. identity, -1, count + 1
end
if used_at < math.max(latest, now_ms - FRESH_MS) then
    -- Later than all others even when the clock was put back: this is their order, too.
    call('HSET', key, name, device .. ' ' .. text(math.max(now_ms, latest + 1)))
end
if count > KEPT then
    call('HDEL', key, oldest.name)
    call('UNLINK', P .. 'had:' .. oldest.number)
end
keep_numbers()
return {identity, first, device}
