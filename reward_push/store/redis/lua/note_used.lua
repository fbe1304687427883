-- IKeyStore.note_used. ARGV: prefix, then for each key its id and when it was used.
for i = 2, #ARGV, 2 do
    if call('EXISTS', P .. 'k:' .. ARGV[i]) == 1
        and tonumber(call('HGET', P .. 'used', ARGV[i]) or -1) < tonumber(ARGV[i + 1]) then
        call('HSET', P .. 'used', ARGV[i], ARGV[i + 1])
    end
end
return 1
