-- Forget news that nobody heals from any more. ARGV: prefix, kept (ms), kept (pieces), limit.
-- Answers 1 when there is more to forget. The number of the last one forgotten stays: who asks from before it
-- hears that it has missed some.
local key, limit = P .. 'news', tonumber(ARGV[4])
local old = call('ZCOUNT', key, '-inf', micros() - ARGV[2] * 1000)
local count = math.max(old, call('ZCARD', key) - ARGV[3])
if count <= 0 then
    return 0
end
local cut = math.min(count, limit)
local newest = call('ZRANGE', key, cut - 1, cut - 1, 'WITHSCORES')
-- In this order it works in a Redis that is out of memory, too: what comes after a first write is not refused.
call('ZREMRANGEBYRANK', key, 0, cut - 1)
call('SET', P .. 'gone', newest[2])
return count > limit and 1 or 0
