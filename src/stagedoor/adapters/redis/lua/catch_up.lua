-- Reads on, and holds the admitter's lease: ARGV[5] candidate ('' for none), [6] its length in ms,
-- [7] a gap in the signs of life from so many ms on is noted ('' where this call is no sign of life), [8] the present
-- instant by the clock that judges deadlines, as the caller knew it, [9] until when, by the store's clock, it has come in
-- time.
if not is_of_this_epoch() then
  return answer('lost')
end

if ARGV[7] ~= '' then
  local alive_at, gap = redis.call('HGET', HEAD, 'alive_at') or ARGV[8], tonumber(ARGV[7])
  local since = ARGV[8] - alive_at
  if since >= gap then
    redis.call('HSET', HEAD, 'gap_began', alive_at, 'gap_ended', ARGV[8])
  end
  -- Whoever knows the time a little less well, or comes late, takes no sign back. Further ahead than that was a clock
  -- that is right again: left there, the next gap would not show.
  if since >= 0 or (since <= -gap and now_ms() <= tonumber(ARGV[9])) then
    redis.call('HSET', HEAD, 'alive_at', ARGV[8])
  end
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
