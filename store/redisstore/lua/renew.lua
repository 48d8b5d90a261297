-- id, for how long regulars are kept, and the log, in microseconds
local id = ARGV[4]
if not BOOK then return {'dead'} end
sweep()
for _, key in ipairs({META, NODES, LEASES, FLOWS, CALLERS, CLAIMS, LOG, RESTS, RESTSBY, SHIFTS, SHIFTSBY, REGULARS, REGULARSBY}) do
  redis.call('EXPIRE', key, KEEP)
end
local function purge(key, by, upto)
  for _, field in ipairs(redis.call('ZRANGEBYSCORE', by, '-inf', whole(upto), 'LIMIT', 0, 1000)) do
    redis.call('HDEL', key, field)
    redis.call('ZREM', by, field)
  end
end
purge(PLACES, PLACESBY, now)
purge(REGULARS, REGULARSBY, now - tonumber(ARGV[5]))
redis.call('XTRIM', LOG, 'MINID', whole(math.floor((now - tonumber(ARGV[6])) / 1000)))
local node = redis.call('HGET', NODES, id)
if not node then return {'dead'} end
redis.call('ZADD', LEASES, whole(now + tonumber(fields(node)[1])), id)
return lease(id)
