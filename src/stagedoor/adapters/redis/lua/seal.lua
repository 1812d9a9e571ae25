-- Puts a checkpoint (ARGV[5], in the keys ARGV[7] and on) of the log up to ARGV[2] in the place of the one before
-- (ARGV[6]), and cuts the log there.
if not is_of_this_epoch() or redis.call('HGET', HEAD, 'checkpoint') ~= ARGV[6] then
  return {CALL, 0}
end
drop_checkpoint()
keep_checkpoint(ARGV[5], 7)
redis.call('XTRIM', LOG, 'MINID', (ARGV[2] + 1) .. '-0')
return {CALL, 1}
