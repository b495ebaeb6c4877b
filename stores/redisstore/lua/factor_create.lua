-- Stores a factor, unless there is one of its name.
-- KEYS: the owner's factors. ARGV: the field, the value.
return redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
