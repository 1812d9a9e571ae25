-- What every script of a room begins with: its keys, its clock, and what a process has not seen of the log yet.
--
-- KEYS: head, log, signs, lease, keyring. ARGV: which call it is, which the answer says again, so that nobody takes it for
-- that of another. Then, as ARGV[1..4]: epoch, with whose it is before it ('<installation>:<number>'), position in the log,
-- position in the signs, entries at most.
local CALL = table.remove(ARGV, 1)
local HEAD, LOG, SIGNS, LEASE, KEYRING = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

-- The store's own clock. It judges how long a turn or a sign was under way, and no deadline: that is for the database's.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function is_of_this_epoch()
  return redis.call('HGET', HEAD, 'epoch') == ARGV[1]
end

-- Entries are numbered without gaps, so that whoever reads on knows whether something is missing.
local function append(entry, is_binding)
  local position = redis.call('HINCRBY', HEAD, 'position', 1)
  redis.call('XADD', LOG, position .. '-0', 'e', entry)
  if is_binding then
    redis.call('HSET', HEAD, 'binding', position)
  end
end

-- What is stored of a buyer's keys; '' is nothing.
local function keys_of(buyer)
  return redis.call('HGET', KEYRING, buyer) or ''
end

local function store_keys(buyer, keys)
  if keys == '' then
    redis.call('HDEL', KEYRING, buyer)
  else
    redis.call('HSET', KEYRING, buyer, keys)
  end
end

-- The pieces of a checkpoint are keys of their own. Those of the one in use stand in the head, so that they go with it.
local function drop_checkpoint()
  for piece in string.gmatch(redis.call('HGET', HEAD, 'pieces') or '', '[^\n]+') do
    redis.call('UNLINK', piece)
  end
end

local function keep_checkpoint(checkpoint, first)
  for i = first, #ARGV do
    redis.call('PERSIST', ARGV[i])
  end
  redis.call('HSET', HEAD, 'checkpoint', checkpoint, 'pieces', table.concat(ARGV, '\n', first))
end

local function entries(stream, after)
  local found = {}
  for _, entry in ipairs(redis.call('XRANGE', stream, (after + 1) .. '-0', '+', 'COUNT', ARGV[4])) do
    found[#found + 1] = entry[1]
    found[#found + 1] = entry[2][2]
  end
  return found
end

local function answer(status, fence)
  if status == 'lost' then
    return {CALL, {status, now_ms()}}
  end
  local head = redis.call('HMGET', HEAD, 'position', 'sign', 'gap_began', 'gap_ended')
  return {CALL, {
    status, now_ms(), tonumber(head[1] or 0), tonumber(head[2] or 0), tonumber(head[3] or 0), tonumber(head[4] or 0),
    fence or 0, entries(LOG, ARGV[2]), entries(SIGNS, ARGV[3])
  }}
end
