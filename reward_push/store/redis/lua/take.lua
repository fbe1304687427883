-- IMessageStore.take. ARGV: prefix, id, device, now_ms. Answers what has ended, or false.
local device, now_ms = ARGV[3], ARGV[4]
local m = find(ARGV[2])
-- One without an end is done since it was sent.
if not m or not m.once or m.why or m.state ~= (m.till and 'live' or 'done') then
    return false
end
local key = P .. 'r:' .. m.id
local before = string.byte(call('HGET', key, device) or '0') - 48
call('HSET', key, device, '3' .. now_ms)
if not m.sent then
    outlive(key, keep_ms(m.id))
end
-- Under once nothing else makes a receipt "acked".
m.sent = tonumber(m.sent or 0) + (before < 1 and 1 or 0)
m.dlvd = tonumber(m.dlvd or 0) + (before < 2 and 1 or 0)
m.ackd = tonumber(m.ackd or 0) + (before < 3 and 1 or 0)
call('HSET', P .. 'm:' .. m.id, 'sent', m.sent, 'dlvd', m.dlvd, 'ackd', m.ackd)
local ended = finish(m, 'done', 'taken', m.over or now_ms, device)
tell_ended(ended)
keep_numbers()
return ended_reply(ended)
