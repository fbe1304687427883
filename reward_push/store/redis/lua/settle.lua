-- IMessageStore.settle. ARGV: prefix, id, count.
local key = P .. 'm:' .. ARGV[2]
if call('EXISTS', key) == 1 then
    call('HSET', key, 'said', ARGV[3])
end
return 1
