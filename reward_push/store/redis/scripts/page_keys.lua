-- IKeyStore.page_keys. ARGV: prefix, limit, cursor or empty. Answers {cursor or false, key, last use or false, …}.
local limit = tonumber(ARGV[2])
local before = ARGV[3] == '' and '+' or '(' .. ARGV[3]
local found = call('ZREVRANGEBYLEX', P .. 'keys', before, '-', 'LIMIT', 0, limit + 1)
local reply = {#found > limit and found[limit] or false}
for i = 1, math.min(#found, limit) do
    local id = string.sub(found[i], 17)
    reply[#reply + 1] = call('GET', P .. 'k:' .. id)
    reply[#reply + 1] = call('HGET', P .. 'used', id)
end
return reply
