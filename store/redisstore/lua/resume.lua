-- id, agent, epoch, n, the claim
local id, agent, epoch, n = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
if not alive(id) then return {'dead'} end
local was = redis.call('HGET', CLAIMS, agent)
if was then
  local c = fields(was)
  local e, m = tonumber(c[5]), tonumber(c[6])
  local lesser = e < tonumber(epoch) or e == tonumber(epoch) and m < tonumber(n)
  local same = c[5] == epoch and c[6] == n and process(c[3]) == process(id)
  if c[10] ~= '1' and not lesser and not same then return {'taken'} end
end
raise(epoch, n)
if was ~= ARGV[8] then setclaim(fields(ARGV[8])) end
return {'ok'}
