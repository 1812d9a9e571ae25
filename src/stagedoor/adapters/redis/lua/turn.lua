-- Adds a turn, or says why not. ARGV[5]: the entry, [6] who leads ('<candidate>:<fence>'),
-- [7] the last binding entry that the turn was planned on, [8] until when it may arrive.
if not is_of_this_epoch() then
  return answer('lost')
end
-- The fence: a turn counts from whoever leads now, planned on all that turns depend on, and not too long ago.
if redis.call('GET', LEASE) ~= ARGV[6] then
  return answer('fenced')
end
if (redis.call('HGET', HEAD, 'binding') or '0') ~= ARGV[7] or now_ms() > tonumber(ARGV[8]) then
  return answer('moved')
end
append(ARGV[5], true)
return answer('ok')
