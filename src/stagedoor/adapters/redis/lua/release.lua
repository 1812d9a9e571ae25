-- Gives the admitter's lease up, if it is held by ARGV[5], so that the next one need not wait for its end.
if redis.call('GET', LEASE) == ARGV[5] then
  redis.call('DEL', LEASE)
end
return {CALL, 0}
