-- IKeyStore.remove_key. ARGV: prefix, id. Answers the key, or false when it was not there.
local key = P .. 'k:' .. ARGV[2]
local stored = call('GET', key)
if not stored then
    return false
end
local created_at_ms = string.match(stored, '^[0-9]+')
call('DEL', key)
call('ZREM', P .. 'keys', string.format('%016.0f', created_at_ms) .. ARGV[2])
call('HDEL', P .. 'used', ARGV[2])
local no = take_numbers(1)
call('ZADD', P .. 'news', no, 'K:' .. ARGV[2])
call('PUBLISH', P .. 'nodes', '{"kind":"key","no":' .. text(no) .. ',"key_id":' .. cjson.encode(ARGV[2]) .. '}')
keep_numbers()
return stored
