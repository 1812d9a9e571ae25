-- Buys one seat after another on all connections: reserve, then pay.
--
--   wrk -t 1 -c N -s orders.lua URL -- FILE START
--
-- Reads FILE, a line "TOKEN SCHEDULE SEAT" for each order, from line START (from 0) on. Whichever connection is free
-- asks next: for the payment that has waited longest, and for a new seat where none waits. `finished` counts orders
-- paid; `taken` says how many lines were used up, those under way when the round ended included.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

local lines, start = {}, 0
local under_way = {}                    -- the token of each seat asked for and not answered yet
local unpaid, first, last = {}, 1, 0    -- a queue of payments

answered, finished, wrong, taken, sample = 0, 0, 0, 0, ""

function init(args)
  for line in io.lines(args[1]) do
    lines[#lines + 1] = line
  end
  start = tonumber(args[2])
end

local function post(path, token, body)
  return "POST /v1/api/concerts/" .. path .. " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: " .. token
    .. "\r\nContent-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end

function request()
  if first <= last then
    local payment = unpaid[first]
    unpaid[first] = nil
    first = first + 1
    return payment
  end
  taken = taken + 1
  -- Whoever runs out of orders repeats the last one; that is refused, so the round is void and says why.
  local token, schedule, seat = lines[math.min(start + taken, #lines)]:match("(%S+) (%S+) (%S+)")
  under_way[schedule .. "/" .. seat] = token
  return post("reserve", token, '{"scheduleId":' .. schedule .. ',"seatId":' .. seat .. "}")
end

function response(status, headers, body)
  answered = answered + 1
  if status == 200 and body:find('"seatStatus":"RESERVED"', 1, true) then
    finished = finished + 1
    return
  end
  local reservation, schedule, seat
  if status == 200 and body:find('"seatStatus":"TEMP_RESERVED"', 1, true) then
    reservation = body:match('"reservationId":(%d+)')
    schedule, seat = body:match('"scheduleId":(%d+),"seatIds":%[(%d+)%]')
  end
  local token = reservation and seat and under_way[schedule .. "/" .. seat]
  if token then
    under_way[schedule .. "/" .. seat] = nil
    last = last + 1
    unpaid[last] = post("payment", token, '{"reservationId":' .. reservation .. "}")
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
    thread:get("answered"), thread:get("finished"), thread:get("wrong"),
    errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration, latency:percentile(50), latency:percentile(99), thread:get("taken"), hex(thread:get("sample"))
  ))
end
