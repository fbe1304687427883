-- API keys: k:<id> is one, `keys` has all of them in the order of their making.

-- For how long it is remembered that a key was revoked: longer than a node is away that still knows it.
local REVOKED_MS = 86400000

local function member(id, created_at_ms)
    return string.format('%016.0f', created_at_ms) .. id
end

local function keep_key(id, created_at_ms, stored)
    call('SET', P .. 'k:' .. id, stored)
    call('ZADD', P .. 'keys', 0, member(id, created_at_ms))
end

-- Forget a key, and tell all nodes; answer it, or false when it was not there. Either way it does not come back.
local function revoke_key(id)
    local key = P .. 'k:' .. id
    local stored = call('GET', key)
    -- In this order it works in a Redis that is out of memory, too: what comes after a first write is not refused.
    call('DEL', key)
    call('SET', P .. 'revoked:' .. id, 1, 'PX', REVOKED_MS)
    if not stored then
        return false
    end
    call('ZREM', P .. 'keys', member(id, string.match(stored, '^[0-9]+')))
    call('HDEL', P .. 'used', id)
    local no = take_numbers(1)
    call('ZADD', P .. 'news', no, 'K:' .. id)
    call('PUBLISH', P .. 'nodes', '{"kind":"key","no":' .. text(no) .. ',"key_id":' .. cjson.encode(id) .. '}')
    return stored
end
