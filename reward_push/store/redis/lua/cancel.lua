-- IMessageStore.cancel. ARGV: prefix, id, now_ms. Answers false, or {row, ended or false}.
local m = find(ARGV[2])
if not m then
    return false
end
if m.state ~= 'scheduled' and m.state ~= 'live' then
    return {row(m), false}
end
local ended = finish(m, 'cancelled', 'cancelled', ARGV[3])
tell_ended(ended)
keep_numbers()
return {row(m), ended_reply(ended)}
