-- Buys a seat after another on each connection: reserve, then pay.
--
--   wrk -t N -c N -s orders.lua URL -- FOLDER STARTS
--
-- With as many threads as connections, so that what a thread knows belongs to its one connection. Thread i reads
-- FOLDER/orders-i, a line "TOKEN SCHEDULE SEAT" for each order, from the line that the i-th figure of STARTS (separated
-- by commas, from 0) names. `finished` counts orders paid; `taken` says how many lines each thread has used up, the
-- one under way when the round ended included.

local threads = {}

function setup(thread)
  thread:set("id", #threads)
  table.insert(threads, thread)
end

local lines, nth, start = {}, 0, 0
local current, token, paying = "", "", false

answered, finished, wrong, taken, sample = 0, 0, 0, 0, ""

local function post(path, body)
  return "POST /v1/api/concerts/" .. path .. " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: " .. token
    .. "\r\nContent-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end

local function begin_order()
  -- Whoever runs out of orders repeats the last one; that is refused, so the round is void and says why.
  local line = lines[math.min(nth + 1, #lines)]
  local schedule, seat
  token, schedule, seat = line:match("(%S+) (%S+) (%S+)")
  current = post("reserve", '{"scheduleId":' .. schedule .. ',"seatId":' .. seat .. "}")
  paying = false
end

function init(args)
  for line in io.lines(string.format("%s/orders-%d", args[1], id)) do
    lines[#lines + 1] = line
  end
  local which = 0
  for figure in args[2]:gmatch("%d+") do
    if which == id then
      start = tonumber(figure)
    end
    which = which + 1
  end
  nth = start
  taken = 1
  begin_order()
end

function request()
  return current
end

local function next_order()
  nth = nth + 1
  taken = nth - start + 1
  begin_order()
end

function response(status, headers, body)
  answered = answered + 1
  if status == 200 and paying and body:find('"seatStatus":"RESERVED"', 1, true) then
    finished = finished + 1
    next_order()
    return
  end
  local reservation = status == 200 and not paying and body:find('"seatStatus":"TEMP_RESERVED"', 1, true)
    and body:match('"reservationId":(%d+)')
  if reservation then
    current = post("payment", '{"reservationId":' .. reservation .. "}")
    paying = true
    return
  end
  wrong = wrong + 1
  if sample == "" then
    sample = (status .. " " .. body):sub(1, 300)
  end
  next_order()
end

local function hex(text)
  return (text:gsub(".", function(byte) return string.format("%02x", byte:byte()) end))
end

function done(summary, latency, _)
  local total, used, first = { answered = 0, finished = 0, wrong = 0 }, {}, ""
  for _, thread in ipairs(threads) do
    for name, count in pairs(total) do
      total[name] = count + thread:get(name)
    end
    table.insert(used, string.format("%d", thread:get("taken")))
    if first == "" then
      first = thread:get("sample")
    end
  end
  local errors = summary.errors
  io.write(string.format(
    '{"answered":%d,"finished":%d,"wrong":%d,"broken":%d,"us":%d,"p50_us":%d,"p99_us":%d,"taken":[%s],"sample":"%s"}\n',
    total.answered, total.finished, total.wrong,
    errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration, latency:percentile(50), latency:percentile(99), table.concat(used, ","), hex(first)
  ))
end
