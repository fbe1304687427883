-- IKeyStore.remove_key. ARGV: prefix, id. Answers the key, or false when it was not there.
local stored = revoke_key(ARGV[2])
keep_numbers()
return stored
