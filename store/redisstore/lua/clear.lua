-- agent, epoch, n
local packed = BOOK and redis.call('HGET', CLAIMS, ARGV[4])
if not packed then return {'ok'} end
local c = fields(packed)
if c[5] == ARGV[5] and c[6] == ARGV[6] and c[10] == '1' then
  redis.call('HDEL', CLAIMS, ARGV[4])
  note('k', packed)
end
return {'ok'}
