-- Before a request: the cached answer, or else a hold on every limit at once, or the name of the limit that is in the way.
--
-- Its argument: packed, the client's limits, with "id client tokens nanousd stream model version digest age" (version "-": none; digest "-":
-- not from the cache, else from there if it was kept for no longer than the age, in seconds).
-- Its list: what to do (0 go, 1 hit, 2 refused); the answer's key, the answer or the limit's name; the time to wait (-1: no waiting helps)
-- or, of an answer, since when it is kept; and the client's requests and tokens that are used.

local EPOCHS = 'ledger:epochs'
local GO, HIT, REFUSED = 0, 1, 2
local CACHE_ONLY, STOP = 4, 5
local SOON = 1e6 -- when what is in the way ends with another request
local MOST_LAPSED = 100 -- released by one call

-- A hold that nobody settled belongs to a task that died: its dollars, tokens and stream are free again. This comes before any client's
-- scope is read, as no limits are known here.
local function release_lapsed()
  for _, lapsed in ipairs(redis.call('ZRANGEBYSCORE', HOLDS, '-inf', whole(now), 'LIMIT', 0, MOST_LAPSED)) do
    redis.call('ZREM', HOLDS, lapsed)
    local client, tokens, nanousd, stream = string.match(lapsed, '^%S+ (%S+) (%S+) (%S+) (%S+)$')
    local key = CLIENT .. client
    local packed = redis.call('GET', key)
    if packed then
      local v = { struct.unpack(SCOPE, packed) }
      local own = { held = v[5], nanousd_held = v[6], streams = v[7] }
      release(own, tokens, nanousd, stream)
      redis.call('SET', key, struct.pack(SCOPE, v[1], v[2], v[3], now, own.held, own.nanousd_held, own.streams, v[8], v[9], v[10], v[11]))
    end
    release(stage, tokens, nanousd, stream)
    stage.full_at = now
  end
end

-- Epochs only grow, so their sum names each state of them once: an answer kept under an older sum is never found again.
local function cache_key(client, model, version, digest)
  local names = { 'all', 'client ' .. client, 'model ' .. model, 'client ' .. client .. ' model ' .. model }
  if version ~= '-' then
    for i = 2, 4 do
      names[i + 3] = names[i] .. ' version ' .. version
    end
    names[8] = 'version ' .. version
  end
  local epoch = 0
  for _, moved in ipairs(redis.call('HMGET', EPOCHS, unpack(names))) do
    epoch = epoch + (moved or 0)
  end
  return 'cache:' .. client .. ':' .. epoch .. ':' .. version .. ':' .. digest
end

-- The first limit that has no room, and how long it takes until it may have.
local function in_the_way(s, tokens, nanousd, stream)
  if s.max_requests > 0 and s.requests + 1 > s.max_requests + 1e-6 then
    return 'requests_per_minute', (s.requests + 1 - s.max_requests) / s.max_requests * MINUTE
  end
  if s.max_tokens > 0 and s.tokens + tokens > s.max_tokens + 1e-6 then
    return 'tokens_per_minute', tokens > s.max_tokens and -1 or (s.tokens + tokens - s.max_tokens) / s.max_tokens * MINUTE
  end
  if stream > 0 and s.max_streams > 0 and s.streams >= s.max_streams then
    return 'streams', SOON
  end
  if s.max_day > 0 and s.day + s.nanousd_held + nanousd > s.max_day then
    return 'usd_per_day', nanousd > s.max_day and -1 or s.day + nanousd > s.max_day and (s.today + 1) * DAY - now or SOON
  end
  if s.max_month > 0 and s.month + s.nanousd_held + nanousd > s.max_month then
    return 'usd_per_month', nanousd > s.max_month and -1 or s.month + nanousd > s.max_month and s.month_ends - now or SOON
  end
end

local function hold(s, tokens, nanousd, stream)
  s.requests = s.requests + 1
  s.tokens = s.tokens + tokens
  s.held = s.held + tokens
  s.nanousd_held = s.nanousd_held + nanousd
  s.streams = s.streams + stream
  s.changed = true
end

local function reserve(wanted, step)
  local held, client, tokens, nanousd, stream, model, version, digest, age =
    string.match(wanted, '^(%S+ (%S+) (%S+) (%S+) (%S+)) (%S+) (%S+) (%S+) (%S+)$', PACKED + 1)
  tokens, nanousd, stream = tonumber(tokens), tonumber(nanousd), tonumber(stream)
  local own = scope(CLIENT .. client, string.sub(wanted, 1, PACKED))

  local function say(state, text, wait)
    return { state, text, math.ceil(wait), math.ceil(own.requests), math.ceil(own.tokens) }
  end

  if step == STOP then
    return say(REFUSED, 'ladder_stop', stage.month_ends - now)
  end
  local key = ''
  if digest ~= '-' then
    key = cache_key(client, model, version, digest)
    local kept = redis.call('GET', key)
    if kept then
      local since = now - struct.unpack('<d', kept)
      if since >= 0 and since <= age * 1e6 then
        return say(HIT, string.sub(kept, 9), since)
      end
    end
  end
  if step == CACHE_ONLY then
    return say(REFUSED, 'ladder_cache_only', stage.month_ends - now)
  end
  local limit, wait = in_the_way(own, tokens, nanousd, stream)
  if limit then
    return say(REFUSED, 'client_' .. limit, wait)
  end
  limit, wait = in_the_way(stage, tokens, nanousd, stream)
  if limit then
    return say(REFUSED, 'stage_' .. limit, wait)
  end
  hold(own, tokens, nanousd, stream)
  hold(stage, tokens, nanousd, stream)
  redis.call('ZADD', HOLDS, whole(now + hold_us), held)
  return say(GO, key, 0)
end

release_lapsed()
local first = 3 + 2 * ARGV[2]
for i = 3, first - 1, 2 do
  settle(ARGV[i], ARGV[i + 1])
end
local spent = stage.month
local step = spent >= stop and STOP or spent >= cache_only and CACHE_ONLY or spent >= shorter and 3 or spent >= cheaper and 2 or spent >= alert and 1 or 0
local found = { step, spent }
for i = first, #ARGV do
  found[#found + 1] = reserve(ARGV[i], step)
end
for _, s in pairs(scopes) do
  if s.changed then
    save(s)
  end
end
return found
