-- A node has connected. ARGV: prefix, a new epoch, the highest number the node has seen.
-- Answers the epoch that holds: another one than before says that data was lost. No number comes again.
local epoch = call('GET', P .. 'epoch')
if not epoch then
    epoch = ARGV[2]
    call('SET', P .. 'epoch', epoch)
end
if tonumber(call('GET', P .. 'no') or 0) < tonumber(ARGV[3]) then
    call('SET', P .. 'no', ARGV[3])
end
return epoch
