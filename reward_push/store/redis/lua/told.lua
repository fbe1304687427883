-- IMessageStore.told. ARGV: prefix, id, devices. A message that is not taken back yet may be, later.
if call('HEXISTS', P .. 'm:' .. ARGV[2], 'why') == 1 then
    for i = 3, #ARGV do
        call('ZREM', P .. 'had:' .. ARGV[i], ARGV[2])
    end
end
return 1
