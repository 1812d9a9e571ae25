-- Begins a new epoch (ARGV[1]) from a checkpoint (ARGV[5], in the keys ARGV[6] and on), unless it has begun already.
local epoch = tonumber(redis.call('HGET', HEAD, 'epoch') or '0')
if epoch >= tonumber(ARGV[1]) then
  return {CALL, epoch}
end
for i = 6, #ARGV do
  redis.call('PERSIST', ARGV[i])
end
redis.call('DEL', HEAD, LOG, SIGNS, LEASE)
redis.call('HSET', HEAD, 'epoch', ARGV[1], 'checkpoint', ARGV[5], 'position', 0, 'sign', 0)
return {CALL, tonumber(ARGV[1])}
