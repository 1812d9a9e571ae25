-- Puts a checkpoint (ARGV[5], in the keys ARGV[8] and on) of the log up to ARGV[2] in the place of the one before
-- (ARGV[6]), and cuts the log so many entries (ARGV[7]) before that: whoever follows has still to read the last of them.
if not is_of_this_epoch() or redis.call('HGET', HEAD, 'checkpoint') ~= ARGV[6] then
  return {CALL, 0}
end
for i = 8, #ARGV do
  -- Its pieces go by themselves, and nobody could begin with a checkpoint that is not whole. This says whether one is
  -- still there, by a command that is used anyhow, for which nobody has to be given another right.
  if redis.call('PEXPIRE', ARGV[i], 60000) == 0 then
    return {CALL, 0}
  end
end
drop_checkpoint()
keep_checkpoint(ARGV[5], 8)
redis.call('XTRIM', LOG, 'MINID', math.max(1, ARGV[2] + 1 - ARGV[7]) .. '-0')
return {CALL, 1}
