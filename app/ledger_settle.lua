-- After a request: its hold ends, what was really used is booked, and its answer goes into the cache.
--
-- Its arguments: packed, the client's limits, the tokens and nano-dollars it used and the numbers for its row of usage, with "id client
-- tokens nanousd stream how ttl model feature key"; and the answer ("": none), which is kept under the key, after the time of now.
-- How: "held" in Valkey; "local", held by the task alone or not at all; "void", nothing was used and nothing is counted; "again", held, and
-- sent before without an answer, so that it counts only if the hold is still there.

local KEPT_S = 400 * 86400
local MOST_ROWS = 500 -- of a client and day; features beyond it are counted together
local ROW = '<ddddddd'

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
  s.changed = true
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

local function settle(record, answer)
  local held, client, tokens, nanousd, stream, how, ttl, row, model, key =
    string.match(record, '^(%S+ (%S+) (%S+) (%S+) (%S+)) (%S+) (%S+) ((%S+) %S+) (%S+)$', PACKED + 73)
  local used_tokens, used_nanousd = struct.unpack('<dd', record, PACKED + 1)
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
  book(scope(CLIENT .. client, string.sub(record, 1, PACKED)), began, tokens, nanousd, stream, used_tokens, used_nanousd)
  book(stage, began, tokens, nanousd, stream, used_tokens, used_nanousd)
  if how ~= 'void' then
    count(client, row, model, struct.unpack(ROW, record, PACKED + 17))
  end
  if answer ~= '' then
    redis.call('SET', key, struct.pack('<d', now) .. answer, 'EX', ttl)
  end
end
