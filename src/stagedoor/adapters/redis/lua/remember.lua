-- Stores the keys of requests whose joins are in the log: ARGV[5] and on, three by three, a buyer, what was stored of her
-- keys, and what is to be. Where another process was faster hers stay as they are, and are answered.
if not is_of_this_epoch() then
  return {CALL, false}
end
local others = {}
for i = 5, #ARGV, 3 do
  local stored = keys_of(ARGV[i])
  if stored == ARGV[i + 1] then
    store_keys(ARGV[i], ARGV[i + 2])
  else
    others[#others + 1] = ARGV[i]
    others[#others + 1] = stored
  end
end
return {CALL, others}
