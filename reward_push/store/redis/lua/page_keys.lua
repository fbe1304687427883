-- IKeyStore.page_keys. ARGV: prefix, limit, member to go on after or empty.
-- Answers {1 when there are more, id, key, last use or false, …}.
local limit = tonumber(ARGV[2])
local before = ARGV[3] == '' and '+' or '(' .. ARGV[3]
local found = call('ZREVRANGEBYLEX', P .. 'keys', before, '-', 'LIMIT', 0, limit + 1)
local reply = {#found > limit and 1 or 0}
for i = 1, math.min(#found, limit) do
    local id = string.sub(found[i], 17)
    reply[#reply + 1] = id
    reply[#reply + 1] = call('GET', P .. 'k:' .. id)
    reply[#reply + 1] = call('HGET', P .. 'used', id)
end
return reply
