-- After requests: holds end, what was really used is booked, and answers go into the cache.
--
-- ARGV: packed, the stage's limits and the time that a hold lasts; then five for each request: its hold; its client's limits; packed, the
-- tokens and nano-dollars it used and the numbers for its row of usage, with "how ttl model feature"; the answer's key; the answer ("": none).
-- How: "held" in Valkey; "local", held by the task alone or not at all; "void", nothing was used and nothing is counted; "again", held, and
-- sent before without an answer, so that it counts only if the hold is still there.

local KEPT_S = 400 * 86400
local MOST_ROWS = 500 -- of a client and day; features beyond it are counted together
local ROW = '<ddddddd'
local PER_REQUEST = 5

-- What a scope gives back, or takes more, once a request is over; `began` is known while its hold is there.
local function book(s, began, tokens, nanousd, stream, used_tokens, used_nanousd)
  local over = used_tokens - tokens
  if began then
    release(s, tokens, nanousd, stream)
    if over < 0 then
      over = math.min(0, over + max(0, s.full_at - began) / MINUTE * s.max_tokens)
    end
  end
  if began or over > 0 then
    s.tokens = max(0, s.tokens + over)
  end
  s.day = s.day + used_nanousd
  s.month = s.month + used_nanousd
end

local function count(client, row, model, ...)
  local day = 'usage:' .. floor(now / DAY)
  local rows = day .. ':' .. client
  local known = redis.call('HGET', rows, row)
  if not known then
    local many = redis.call('HLEN', rows)
    if many == 0 then
      redis.call('SADD', day, client)
      redis.call('EXPIRE', day, KEPT_S)
    elseif many >= MOST_ROWS then
      row = model .. ' other'
      known = redis.call('HGET', rows, row)
    end
  end
  local sums = { ... }
  if known then
    for i, sum in ipairs({ struct.unpack(ROW, known) }) do
      sums[i] = sums[i] + sum
    end
  end
  redis.call('HSET', rows, row, struct.pack(ROW, unpack(sums)))
  if not known then
    redis.call('EXPIRE', rows, KEPT_S)
  end
end

local stage = scope(STAGE, ARGV[1], now)
local hold_us = struct.unpack('<d', ARGV[1], 41)
local clients = {}

local function settle(held, limits, record, key, answer)
  local client, tokens, nanousd, stream = string.match(held, '^%S+ (%S+) (%S+) (%S+) (%S+)$')
  local how, ttl, row, model = string.match(record, '^(%S+) (%S+) ((%S+) %S+)$', 73)
  local used_tokens, used_nanousd = struct.unpack('<dd', record)
  local began
  if how == 'local' then
    tokens, nanousd, stream = 0, 0, 0
  else
    local lapses = redis.call('ZSCORE', HOLDS, held)
    if lapses then
      redis.call('ZREM', HOLDS, held)
      began = lapses - hold_us
    elseif how ~= 'held' then
      return
    end
  end
  local own = clients[client]
  if not own then
    own = scope(CLIENT .. client, limits, now)
    clients[client] = own
  end
  book(own, began, tokens, nanousd, stream, used_tokens, used_nanousd)
  book(stage, began, tokens, nanousd, stream, used_tokens, used_nanousd)
  if how ~= 'void' then
    count(client, row, model, struct.unpack(ROW, record, 17))
  end
  if answer ~= '' then
    redis.call('SET', key, answer, 'EX', ttl)
  end
end

for i = 2, #ARGV, PER_REQUEST do
  settle(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4])
end
for _, own in pairs(clients) do
  save(own, now)
end
save(stage, now)
return (#ARGV - 1) / PER_REQUEST
