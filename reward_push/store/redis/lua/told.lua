-- IMessageStore.told. ARGV: prefix, device, ids. A message that is not taken back yet may be, later.
local key = P .. 'had:' .. ARGV[2]
for i = 3, #ARGV do
    if call('HEXISTS', P .. 'm:' .. ARGV[i], 'why') == 1 then
        call('ZREM', key, ARGV[i])
    end
end
return 1
