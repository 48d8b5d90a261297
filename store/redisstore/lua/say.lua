-- id, how many rests and shifts, places, regulars, for how long regulars are kept; then five arguments for each fact:
-- its kind, its field, two that go by the kind, and the fact
local id, agents, mostplaces, mostregulars, keepregulars = ARGV[4], ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8])
if not alive(id) then return {'dead'} end

-- Each kind of fact is written by one of these, which return what the log is to say of it, or nothing when it changed
-- nothing.
local write = {}

function write.flow(agent, since, _, fact)
  local was = redis.call('HGET', FLOWS, agent)
  local new = id .. '\n' .. since .. '\n' .. fact
  if was == new then return nil end
  if was then
    local f = fields(was)
    if process(f[1]) ~= process(id) and alive(f[1]) and tonumber(f[2]) >= tonumber(since) then return nil end
  end
  put(FLOWS, agent, new)
  return '{"flow":' .. fact .. '}'
end

function write.flowgone(agent)
  local was = redis.call('HGET', FLOWS, agent)
  if not was then return nil end
  local f = fields(was)
  if process(f[1]) ~= process(id) then return nil end
  redis.call('HDEL', FLOWS, agent)
  return '{"flow_gone":' .. f[3] .. '}'
end

function write.caller(call, _, _, fact)
  local new = id .. '\n' .. fact
  if redis.call('HGET', CALLERS, call) == new then return nil end
  put(CALLERS, call, new)
  return '{"caller":' .. fact .. '}'
end

function write.gone(call, _, _, fact)
  local was = redis.call('HGET', CALLERS, call)
  if not was or process(fields(was)[1]) ~= process(id) then return nil end
  redis.call('HDEL', CALLERS, call)
  return '{"gone":' .. fact .. '}'
end

function write.rest(_, packed, _, fact)
  return setrest(packed, agents) and '{"rest":' .. fact .. '}'
end

function write.shift(agent, _, _, fact)
  if redis.call('HGET', SHIFTS, agent) == fact then return nil end
  put(SHIFTS, agent, fact)
  rank(SHIFTSBY, agent, whole(now))
  bound(SHIFTS, SHIFTSBY, agents)
  return '{"shift":' .. fact .. '}'
end

-- place is the place that a number has, unless it is over.
local function place(field)
  local was = redis.call('HGET', PLACES, field)
  local p = was and fields(was)
  if p and tonumber(p[1]) <= now then
    redis.call('HDEL', PLACES, field)
    redis.call('ZREM', PLACESBY, field)
    return nil
  end
  return was, p
end

function write.taken(field, _, left, fact)
  local was, p = place(field)
  if not was or tonumber(p[2]) > tonumber(left) then return nil end
  redis.call('HDEL', PLACES, field)
  redis.call('ZREM', PLACESBY, field)
  return '{"place":' .. fact .. '}'
end

function write.place(field, over, left, fact)
  local was, p = place(field)
  local new = over .. '\n' .. left .. '\n' .. fact
  if was == new or was and tonumber(p[2]) > tonumber(left) or tonumber(over) <= now then return nil end
  redis.call('HSET', PLACES, field, new)
  redis.call('ZADD', PLACESBY, over, field)
  bound(PLACES, PLACESBY, mostplaces)
  local last = redis.call('ZRANGE', PLACESBY, -1, -1, 'WITHSCORES')
  for _, key in ipairs({PLACES, PLACESBY}) do
    if last[2] then redis.call('PEXPIREAT', key, whole(math.ceil(tonumber(last[2]) / 1000))) end
  end
  return '{"place":' .. fact .. '}'
end

function write.regular(field, at, _, fact)
  if tonumber(at) + keepregulars <= now then return nil end
  local was = redis.call('HGET', REGULARS, field)
  local new = at .. '\n' .. fact
  if was == new or was and tonumber(fields(was)[1]) > tonumber(at) then return nil end
  put(REGULARS, field, new)
  rank(REGULARSBY, field, at)
  bound(REGULARS, REGULARSBY, mostregulars)
  return '{"regular":' .. fact .. '}'
end

local changed = {}
for i = 9, #ARGV, 5 do
  local said = write[ARGV[i]](ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4])
  if said then changed[#changed + 1] = said end
end
if #changed > 0 then note('f', '[' .. table.concat(changed, ',') .. ']') end
return {'ok'}
