-- IMessageStore.note. ARGV: prefix, then for each message its id, how many receipts follow, and for each
-- receipt its device and its level with its time behind it ("21790000000000"). Answers {id, namespace, reason,
-- device, …} for each first receipt of a message that was taken back before.
local i, late = 2, {}
while i <= #ARGV do
    local id, count = ARGV[i], tonumber(ARGV[i + 1])
    local key, receipts = P .. 'm:' .. id, P .. 'r:' .. id
    local m = call('HMGET', key, 'seq', 'state', 'why', 'once', 'till', 'sent', 'dlvd', 'ackd', 'ns')
    if m[1] and count > 0 then
        local seq, state, why, once, till = m[1], m[2], m[3], m[4], m[5]
        local counts = {tonumber(m[6] or 0), tonumber(m[7] or 0), tonumber(m[8] or 0)}
        -- Whether it is, or may be, taken back: then a named device that had it has to hear of that.
        local revocable = why or state == 'live' or state == 'scheduled' or (state == 'done' and once and not till)
        local keep = keep_ms(id)
        local devices = {}
        for n = 1, count do
            devices[n] = ARGV[i + 2 * n]
        end
        local known, now = call('HMGET', receipts, unpack(devices)), {}
        local changed = {}
        for n = 1, count do
            local device, given = devices[n], ARGV[i + 2 * n + 1]
            local before = now[device] or (known[n] and string.byte(known[n]) - 48) or 0
            local level = string.byte(given) - 48
            if once and level > 2 then
                level, given = 2, '2' .. string.sub(given, 2)
            end
            if level > before then
                for each = before + 1, level do
                    counts[each] = counts[each] + 1
                end
                now[device] = level
                changed[#changed + 1] = device
                changed[#changed + 1] = given
                if before == 0 and why then
                    for _, each in ipairs({id, m[9], why, device}) do
                        late[#late + 1] = each
                    end
                end
                if before == 0 and revocable and string.find(device, '+', 1, true) then
                    local had = P .. 'had:' .. device
                    call('ZADD', had, seq, id)
                    outlive(had, keep)
                end
            end
        end
        if #changed > 0 then
            call('HSET', receipts, unpack(changed))
            if not m[6] then
                outlive(receipts, keep)
            end
            call('HSET', key, 'sent', counts[1], 'dlvd', counts[2], 'ackd', counts[3])
        end
    end
    i = i + 2 + 2 * count
end
return late
