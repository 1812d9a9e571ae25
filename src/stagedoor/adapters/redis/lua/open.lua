-- Begins a new epoch (ARGV[1]) from a checkpoint (ARGV[5], in the keys ARGV[6] and on), unless it has begun already, or
-- the line is another installation's. Returns the epoch there is.
local begun = redis.call('HGET', HEAD, 'epoch')
if begun then
  local whose, number = string.match(begun, '^(.*):(%d+)$')
  local ours, new = string.match(ARGV[1], '^(.*):(%d+)$')
  if whose ~= ours or tonumber(number) >= tonumber(new) then
    return {CALL, begun}
  end
end
drop_checkpoint()
redis.call('DEL', HEAD, LOG, SIGNS, LEASE)
redis.call('HSET', HEAD, 'epoch', ARGV[1], 'position', 0, 'sign', 0)
keep_checkpoint(ARGV[5], 6)
return {CALL, ARGV[1]}
