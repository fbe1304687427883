-- IMessageStore.agenda. ARGV: prefix. Answers {deliver_at or false, expires_at or false}.
local due = call('ZRANGE', P .. 'due', 0, 0, 'WITHSCORES')
local over = call('ZRANGE', P .. 'over', 0, 0, 'WITHSCORES')
return {due[2] or false, over[2] or false}
