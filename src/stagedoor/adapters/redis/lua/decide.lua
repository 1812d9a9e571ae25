-- Adds what was decided: ARGV[5] entry, [6] the last binding entry that it was decided on ('' for the whole log up to
-- ARGV[2]), then, three by three, a buyer, what is stored of her keys, and what is to be.
if not is_of_this_epoch() then
  return answer('lost')
end
local depends_on = ARGV[6] == '' and {'position', ARGV[2]} or {'binding', ARGV[6]}
if (redis.call('HGET', HEAD, depends_on[1]) or '0') ~= depends_on[2] then
  return answer('moved')
end
for i = 7, #ARGV, 3 do
  if keys_of(ARGV[i]) ~= ARGV[i + 1] then
    return answer('moved')
  end
end
append(ARGV[5], true)
for i = 7, #ARGV, 3 do
  store_keys(ARGV[i], ARGV[i + 2])
end
return answer('ok')
