-- Adds what holds whatever stands before it in the log: joins, places used up, signs of buyers, time given back.
-- ARGV[5]: the log's entry ('' for none), [6] whether turns depend on it ('1'), [7] signs nothing depends on ('' for none),
-- [8] how many entries of those are kept.
if not is_of_this_epoch() then
  return answer('lost')
end
if ARGV[5] ~= '' then
  append(ARGV[5], ARGV[6] == '1')
end
if ARGV[7] ~= '' then
  local sign = redis.call('HINCRBY', HEAD, 'sign', 1)
  redis.call('XADD', SIGNS, 'MAXLEN', '~', ARGV[8], sign .. '-0', 'e', ARGV[7])
end
return answer('ok')
