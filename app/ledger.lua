-- The ledger's script, which Valkey runs as one step: first what requests have used (ledger_settle.lua), then what others ask for
-- (ledger_reserve.lua); Python puts the three files together. All times are the server's, in microseconds.
--
-- ARGV: packed, the stage's limits, the time that a hold lasts and the spending at which each step of the ladder begins; how many requests
-- are settled; two for each of these; one for each request that asks.
-- Gives: the ladder's step, the stage's nano-dollars of this month, and a list for each request that asked.
--
-- A scope is the stage or a client: its buckets, its holds and its spending as packed doubles (exact up to 2^53) under one key without an
-- expiry, so that it is never evicted. The day, and the end of the month, stand beside what was spent in them: when another one has begun,
-- the sum begins at nothing, and no job has to reset it.

local HOLDS = 'ledger:holds' -- what is reserved, as "id client tokens nanousd stream", by the time at which it lapses
local STAGE, CLIENT = 'ledger:stage', 'ledger:client:'
local SCOPE = '<ddddddddddd'
local MINUTE, DAY = 60e6, 86400e6
local floor, max = math.floor, math.max

local function whole(number)
  return string.format('%.0f', number)
end

-- When the month of a time ends, in UTC. (From days to a date: Howard Hinnant.)
local function end_of_month(now)
  local days = floor(now / DAY)
  local of_era = (days + 719468) % 146097
  local year = floor((of_era - floor(of_era / 1460) + floor(of_era / 36524) - floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + floor(year / 4) - floor(year / 100))
  local shifted = floor((5 * of_year + 2) / 153) -- months since March
  local date = of_year - floor((153 * shifted + 2) / 5) + 1
  local length = floor((153 * (shifted + 1) + 2) / 5) - floor((153 * shifted + 2) / 5)
  if shifted == 11 then -- February ends the year that begins in March
    year = year + 1
    length = (year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)) and 29 or 28
  end
  return (days + length - date + 1) * DAY
end

-- What is left in a bucket that held `used`: it drains at the limit's rate, in a minute from full. Nothing holds more than two minutes' worth.
local function drain(used, limit, minutes)
  return math.min(max(0, used - minutes * limit), 2 * limit)
end

local now = redis.call('TIME')
now = now[1] * 1e6 + now[2]
local scopes = {} -- what this call has read, by key: each is read once, and written once at the end

-- A scope as it is now, under limits that are packed as requests and tokens a minute, streams, and nano-dollars a day and month (0: none).
--
-- `full_at` is when the scope last had, or would have had if all that is held came back, its whole limit free. A hold that turns out too
-- large gives the difference back, less what would have drained in vain before that moment: so what comes back was really there.
local function read(s)
  s.today = floor(now / DAY)
  local packed = redis.call('GET', s.key)
  if not packed then
    s.requests, s.tokens, s.full_at, s.held, s.nanousd_held, s.streams, s.day, s.month, s.month_ends = 0, 0, now, 0, 0, 0, 0, 0, end_of_month(now)
    return
  end
  local at, day
  at, s.requests, s.tokens, s.full_at, s.held, s.nanousd_held, s.streams, day, s.day, s.month_ends, s.month = struct.unpack(SCOPE, packed)
  local minutes = max(0, now - at) / MINUTE
  s.requests = drain(s.requests, s.max_requests, minutes)
  s.tokens = drain(s.tokens, s.max_tokens, minutes)
  if s.tokens <= s.held then
    s.full_at = now
  end
  if day ~= s.today then
    s.day = 0
  end
  if now >= s.month_ends then
    s.month, s.month_ends = 0, end_of_month(now)
  end
end

local function scope(key, limits)
  local s = scopes[key]
  if s and s.limits == limits then
    return s
  end
  s = s or { key = key }
  s.limits = limits -- of a known one: they were changed a moment ago
  s.max_requests, s.max_tokens, s.max_streams, s.max_day, s.max_month = struct.unpack('<ddddd', limits)
  if not scopes[key] then
    scopes[key] = s
    read(s)
  end
  return s
end

local function save(s)
  redis.call('SET', s.key, struct.pack(SCOPE, now, s.requests, s.tokens, s.full_at, s.held, s.nanousd_held, s.streams, s.today, s.day, s.month_ends, s.month))
end

local function release(s, tokens, nanousd, stream)
  s.held = max(0, s.held - tokens)
  s.nanousd_held = max(0, s.nanousd_held - nanousd)
  s.streams = max(0, s.streams - stream)
  s.changed = true
end

local stage = scope(STAGE, ARGV[1])
local hold_us, alert, cheaper, shorter, cache_only, stop = struct.unpack('<dddddd', ARGV[1], 41)
local PACKED = 40 -- bytes of a client's limits, with which its arguments begin
