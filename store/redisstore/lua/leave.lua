-- id
if not alive(ARGV[4]) then return {'dead'} end
bury(ARGV[4])
return {'ok'}
