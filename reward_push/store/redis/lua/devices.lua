-- Whose receipts are: a device's text ends with its identity, which stands for a key and a streamer.
local owners, names = {}, {}

-- Return key and streamer as a JSON array, and the device's name or false: a forgotten one has none any more.
local function whose(device)
    local identity, sign = string.match(device, '[0-9]+$'), string.match(device, '[+-]')
    if owners[identity] == nil then
        owners[identity] = call('HGET', P .. 'who', identity)
    end
    if sign == '+' and not names[identity] then
        names[identity] = {}
        local known = call('HGETALL', P .. 'dev:' .. identity)
        for i = 1, #known, 2 do
            names[identity][string.match(known[i + 1], '^[^ ]+')] = known[i]
        end
    end
    return owners[identity], sign == '+' and names[identity][device] or false
end

-- Answer receipts that came as {device, value, …}: records.py reads it.
local function receipts_reply(flat)
    local reply = {}
    for i = 1, #flat, 2 do
        local owner, name = whose(flat[i])
        reply[#reply + 1] = {flat[i], flat[i + 1], owner, name}
    end
    return reply
end
