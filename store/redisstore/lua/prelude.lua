-- What every script begins with. Keys are all of one site, always the same and in this order; ARGV[1] is the instant in
-- microseconds for a book whose clock is the caller's (tests), else empty, ARGV[2] for how many seconds keys outlive their
-- last touch, ARGV[3] how many entries the log keeps. The method's own arguments begin at ARGV[4].
--
--   flows    agent -> edge \n since \n fact
--   callers  call  -> owner \n fact
--   claims   agent -> agent call owner edge epoch n since rung answered orphan, with \n between
--   rests    agent -> agent epoch n how queue talked wrap rest alarm idle missed by call, with \n between
--   shifts   agent -> fact
--   places   queue \n number -> until \n left \n fact
--   regulars queue \n number -> at \n fact
--   *by      the same fields by the instant for which the first of them goes first
--   nodes    id -> lease \n node;  leases: id by the instant when its lease is over
--   meta     book, epoch, n (the greatest token), last (the log's last entry)
--
-- Facts and nodes are JSON that only the nodes read. Instants are in microseconds; every number is below 2^53.
local META, NODES, LEASES, FLOWS, CALLERS, CLAIMS, LOG = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local RESTS, RESTSBY, SHIFTS, SHIFTSBY = KEYS[8], KEYS[9], KEYS[10], KEYS[11]
local PLACES, PLACESBY, REGULARS, REGULARSBY = KEYS[12], KEYS[13], KEYS[14], KEYS[15]
local KEEP, LOGLEN = ARGV[2], ARGV[3]

local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = tonumber(t[1]) * 1000000 + tonumber(t[2])
end

-- Without it nobody has entered this book, or it was lost; whatever else is there is of one before.
local BOOK = redis.call('HGET', META, 'book')

local function whole(n) return string.format('%.0f', n) end

local function fields(s)
  local out = {}
  for f in string.gmatch(s .. '\n', '([^\n]*)\n') do out[#out + 1] = f end
  return out
end

-- process is what the runs of one process have in common (call.NodeID.Process).
local function process(id) return string.match(id, '^[^.]*') end

local function alive(id)
  local over = BOOK and redis.call('ZSCORE', LEASES, id)
  return over and tonumber(over) > now
end

local function put(key, field, value)
  if redis.call('HSET', key, field, value) == 1 then redis.call('EXPIRE', key, KEEP) end
end

local function rank(key, field, at)
  if redis.call('ZADD', key, at, field) == 1 then redis.call('EXPIRE', key, KEEP) end
end

-- note writes an entry into the log, with the entry before it as p: so a reader knows a gap, be it cut, lost in a failover,
-- or of another book. Entries are named by the book's clock.
local function note(...)
  local last = redis.call('HGET', META, 'last')
  local ms, seq = string.match(last, '^(%d+)-(%d+)$')
  local at = math.floor(now / 1000)
  if at > tonumber(ms) then seq = 0 else at, seq = tonumber(ms), tonumber(seq) + 1 end
  local id = whole(at) .. '-' .. whole(seq)
  redis.call('XADD', LOG, 'MAXLEN', '~', LOGLEN, id, 'p', last, ...)
  redis.call('EXPIRE', LOG, KEEP)
  redis.call('HSET', META, 'last', id)
end

-- bury takes out all that is a node's own. It looks at every flow, caller and claim: nodes die seldom.
local function bury(id)
  redis.call('HDEL', NODES, id)
  redis.call('ZREM', LEASES, id)
  for _, key in ipairs({FLOWS, CALLERS}) do
    local all = redis.call('HGETALL', key)
    for i = 1, #all, 2 do
      if string.sub(all[i + 1], 1, #id + 1) == id .. '\n' then redis.call('HDEL', key, all[i]) end
    end
  end
  local all = redis.call('HGETALL', CLAIMS)
  for i = 1, #all, 2 do
    local c = fields(all[i + 1])
    if c[3] == id and c[10] ~= '1' then
      c[10] = '1'
      redis.call('HSET', CLAIMS, all[i], table.concat(c, '\n'))
    end
  end
  note('x', id)
end

-- sweep declares the nodes dead whose leases are over, in the order of their ids.
local function sweep()
  local over = redis.call('ZRANGEBYSCORE', LEASES, '-inf', whole(now))
  table.sort(over)
  for _, id in ipairs(over) do bury(id) end
end

local function lease(id)
  local m = redis.call('HMGET', META, 'book', 'epoch')
  return {'ok', whole(now), redis.call('ZSCORE', LEASES, id), m[1], m[2]}
end

-- raise has the greatest token be at least this one.
local function raise(epoch, n)
  local m = redis.call('HMGET', META, 'epoch', 'n')
  if not BOOK then return end
  local e, was = tonumber(m[1]), tonumber(m[2])
  if tonumber(epoch) > e or tonumber(epoch) == e and tonumber(n) > was then
    redis.call('HSET', META, 'epoch', epoch, 'n', n)
  end
end

-- own is a process's claim on an agent by a token. After a failover two owners may have claims by the same one.
local function own(id, agent, epoch, n)
  local packed = BOOK and redis.call('HGET', CLAIMS, agent)
  if not packed then return nil end
  local c = fields(packed)
  if c[5] == epoch and c[6] == n and process(c[3]) == process(id) then return c end
  return nil
end

local function setclaim(c)
  local packed = table.concat(c, '\n')
  put(CLAIMS, c[1], packed)
  note('c', packed)
end

local function bound(key, by, most)
  local over = redis.call('ZCARD', by) - tonumber(most)
  if over <= 0 then return end
  for _, field in ipairs(redis.call('ZRANGE', by, 0, over - 1)) do
    redis.call('HDEL', key, field)
    redis.call('ZREM', by, field)
  end
end

-- setrest writes what is known of an agent by a rest and those before: instants that are left out stay.
local function setrest(packed, most)
  local r = fields(packed)
  local was = redis.call('HGET', RESTS, r[1])
  if was then
    local old = fields(was)
    for i = 7, 10 do
      if r[i] == '' then r[i] = old[i] end
    end
  end
  local merged = table.concat(r, '\n')
  if merged == was then return false end
  put(RESTS, r[1], merged)
  rank(RESTSBY, r[1], whole(now))
  bound(RESTS, RESTSBY, most)
  return true
end
