-- id, agent, epoch, n, rest, the same as a fact, how many rests, the call if it is known
local c = own(ARGV[4], ARGV[5], ARGV[6], ARGV[7])
if not c or ARGV[11] ~= '' and ARGV[11] ~= c[2] then return {'ok'} end
redis.call('HDEL', CLAIMS, ARGV[5])
setrest(ARGV[8], ARGV[10])
note('f', '[{"rest":' .. ARGV[9] .. '}]')
return {'ok'}
