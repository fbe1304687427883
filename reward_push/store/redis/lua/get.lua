-- IMessageStore.get. ARGV: prefix, id. Answers false, or {row, receipts}; receipts are false when there are
-- more than are looked up in one step: then receipts.lua is asked.
local m = find(ARGV[2])
if not m then
    return false
end
local key = P .. 'r:' .. m.id
if not m.sent then
    return {row(m), {}}
end
if call('HLEN', key) > 500 then
    return {row(m), false}
end
return {row(m), receipts_reply(call('HGETALL', key))}
