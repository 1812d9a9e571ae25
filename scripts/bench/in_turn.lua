-- Sends the requests of a file in turn, and looks at every answer.
--
--   wrk -s in_turn.lua URL -- REQUESTS FIRST RIGHT (whole|part)
--
-- REQUESTS holds whole HTTP requests, each ended by a NUL; the first one sent is number FIRST (from 0). RIGHT holds
-- what every answer has to be (whole) or to contain (part). `taken` says how many requests were made: the next round
-- goes on behind them. With one thread of wrk only.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

local function contents(path)
  local file = assert(io.open(path, "rb"))
  local all = file:read("*a")
  file:close()
  return all
end

local requests, count, nth, right, whole = {}, 0, 0, "", false

answered, wrong, taken, sample = 0, 0, 0, ""

function init(args)
  for one in contents(args[1]):gmatch("([^%z]+)%z") do
    count = count + 1
    requests[count] = one
  end
  nth = tonumber(args[2])
  right = contents(args[3])
  whole = args[4] == "whole"
end

function request()
  local this = requests[nth % count + 1]
  nth = nth + 1
  taken = taken + 1
  return this
end

local find = string.find

function response(status, headers, body)
  answered = answered + 1
  if status == 200 and (body == right or (not whole and find(body, right, 1, true))) then
    return
  end
  wrong = wrong + 1
  if sample == "" then
    sample = (status .. " " .. body):sub(1, 300)
  end
end

local function hex(text)
  return (text:gsub(".", function(byte) return string.format("%02x", byte:byte()) end))
end

function done(summary, latency, _)
  local thread, errors = threads[1], summary.errors
  io.write(string.format(
    '{"answered":%d,"finished":%d,"wrong":%d,"broken":%d,"us":%d,"p50_us":%d,"p99_us":%d,"taken":%d,"sample":"%s"}\n',
    thread:get("answered"), thread:get("answered"), thread:get("wrong"),
    errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration, latency:percentile(50), latency:percentile(99), thread:get("taken"), hex(thread:get("sample"))
  ))
end
