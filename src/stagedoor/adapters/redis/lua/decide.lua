-- Adds what was decided on the whole log up to ARGV[2], and the keys of the requests: ARGV[5] entry,
-- then pairs of a buyer and her keys.
if not is_of_this_epoch() then
  return answer('lost')
end
if (redis.call('HGET', HEAD, 'position') or '0') ~= ARGV[2] then
  return answer('moved')
end
append(ARGV[5], true)
for i = 6, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYRING, ARGV[i])
  else
    redis.call('HSET', KEYRING, ARGV[i], ARGV[i + 1])
  end
end
return answer('ok')
