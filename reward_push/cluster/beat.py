"""One beat of a node, in Redis: its record is written, and all records are read, in one step."""

from .interfaces import Script

BEAT = Script(
    "beat",
    """
-- ARGV: prefix, node id, record, expiry in ms, most members, secret to keep if there is none ('': none)
-- Returns what the record was before, the secret kept, and all records.
local prefix, id, expiry_ms = ARGV[1], ARGV[2], tonumber(ARGV[4])
local names = prefix .. 'nodes'
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local before = redis.call('GET', prefix .. 'node:' .. id) or ''
redis.call('SET', prefix .. 'node:' .. id, ARGV[3], 'PX', expiry_ms)
redis.call('ZADD', names, now_ms + expiry_ms, id)
redis.call('ZREMRANGEBYSCORE', names, '-inf', now_ms)
local secret = ''
if ARGV[6] ~= '' then
    redis.call('SET', prefix .. 'secret', ARGV[6], 'NX')
    secret = redis.call('GET', prefix .. 'secret')
end
local records = {}
for _, each in ipairs(redis.call('ZREVRANGE', names, 0, ARGV[5] - 1)) do
    local record = redis.call('GET', prefix .. 'node:' .. each)
    if record then
        records[#records + 1] = record
    end
end
return {before, secret, records}
""",
)
