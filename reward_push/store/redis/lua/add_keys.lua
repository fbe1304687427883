-- IKeyStore.add_key. ARGV: prefix, deadline (ms), 1 to add them only where there is no key at all, then for each
-- its id, when it was created, and the key. Answers false when the deadline has passed, 0 when one is there.
if micros() > ARGV[2] * 1000 then
    return false
end
if ARGV[3] == '1' and call('ZCARD', P .. 'keys') > 0 then
    return 0
end
for i = 4, #ARGV, 3 do
    if call('EXISTS', P .. 'k:' .. ARGV[i]) == 1 then
        return 0
    end
end
for i = 4, #ARGV, 3 do
    keep_key(ARGV[i], ARGV[i + 1], ARGV[i + 2])
end
return 1
