-- id, agent, call, the greatest n
local id, agent = ARGV[4], ARGV[5]
if not alive(id) then return {'dead'} end
if redis.call('HEXISTS', CLAIMS, agent) == 1 then return {'taken'} end
local flow = redis.call('HGET', FLOWS, agent)
local edge = flow and fields(flow)[1]
if not edge or not alive(edge) then return {'noflow'} end
local m = redis.call('HMGET', META, 'epoch', 'n')
if tonumber(m[2]) >= tonumber(ARGV[7]) then return {'range'} end
local n = whole(tonumber(m[2]) + 1)
redis.call('HSET', META, 'n', n)
setclaim({agent, ARGV[6], id, edge, m[1], n, whole(now), '', '', ''})
return {'ok', m[1], n, edge, whole(now), redis.call('ZSCORE', LEASES, id)}
