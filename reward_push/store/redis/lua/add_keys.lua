-- IKeyStore.add_key. ARGV: prefix, deadline (ms), 1 to add them only where there is no key at all, then for each
-- its id, when it was created, and the key. Answers false when the deadline has passed, 0 when one is there.
if micros() > ARGV[2] * 1000 then
    return false
end
local index = P .. 'keys'
if ARGV[3] == '1' and call('ZCARD', index) > 0 then
    return 0
end
for i = 4, #ARGV, 3 do
    if call('EXISTS', P .. 'k:' .. ARGV[i]) == 1 then
        return 0
    end
end
for i = 4, #ARGV, 3 do
    call('SET', P .. 'k:' .. ARGV[i], ARGV[i + 2])
    call('ZADD', index, 0, string.format('%016.0f', ARGV[i + 1]) .. ARGV[i])
end
return 1
