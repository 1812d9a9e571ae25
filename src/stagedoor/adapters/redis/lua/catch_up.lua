-- Reads on, and holds the admitter's lease: ARGV[5] candidate ('' for none), [6] its length in ms,
-- [7] a gap in the signs of life from so many ms on is noted ('' where this call is no sign of life).
if not is_of_this_epoch() then
  return answer('lost')
end

if ARGV[7] ~= '' then
  local now, alive_at = now_ms(), redis.call('HGET', HEAD, 'alive_at')
  if alive_at and now - alive_at >= tonumber(ARGV[7]) then
    redis.call('HSET', HEAD, 'gap_began', alive_at, 'gap_ended', now)
  end
  redis.call('HSET', HEAD, 'alive_at', now)
end

local fence = 0
if ARGV[5] ~= '' then
  local candidate, holder = ARGV[5] .. ':', redis.call('GET', LEASE)
  if not holder then
    fence = redis.call('HINCRBY', HEAD, 'fence', 1)
    redis.call('SET', LEASE, candidate .. fence, 'PX', ARGV[6])
  elseif string.sub(holder, 1, #candidate) == candidate then
    fence = tonumber(string.sub(holder, #candidate + 1))
    redis.call('PEXPIRE', LEASE, ARGV[6])
  end
end
return answer('ok', fence)
