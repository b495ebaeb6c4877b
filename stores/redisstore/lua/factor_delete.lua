-- Deletes a factor.
-- KEYS: the owner's factors. ARGV: the field.
return redis.call('HDEL', KEYS[1], ARGV[1])
