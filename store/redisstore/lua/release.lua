-- id, agent, epoch, n, rest, the same as a fact, how many rests
if not own(ARGV[4], ARGV[5], ARGV[6], ARGV[7]) then return {'ok'} end
redis.call('HDEL', CLAIMS, ARGV[5])
setrest(ARGV[8], ARGV[10])
note('f', '[{"rest":' .. ARGV[9] .. '}]')
return {'ok'}
