-- A piece of a message's receipts. ARGV: prefix, id, cursor. Answers {next cursor, receipts}; "0": that was all.
-- One may come twice when receipts are noted meanwhile.
local scanned = call('HSCAN', P .. 'r:' .. ARGV[2], ARGV[3], 'COUNT', 500)
return {scanned[1], receipts_reply(scanned[2])}
