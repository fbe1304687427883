-- What a node knows of keys, for a Redis that has lost them. ARGV: prefix, deadline (ms), how many revoked ones
-- follow, their ids, then for each key its id, when it was created, and the key.
-- Answers false when the deadline has passed, else the ids of those that are not kept, as they were revoked.
if micros() > ARGV[2] * 1000 then
    return false
end
local first = 4 + ARGV[3]
for i = 4, first - 1 do
    revoke_key(ARGV[i])
end
local refused = {}
for i = first, #ARGV, 3 do
    local id = ARGV[i]
    if call('EXISTS', P .. 'revoked:' .. id) == 1 then
        refused[#refused + 1] = id
    elseif call('EXISTS', P .. 'k:' .. id) == 0 then
        keep_key(id, ARGV[i + 1], ARGV[i + 2])
    end
end
keep_numbers()
return refused
