-- id, agent, epoch, n, rung, answered
local c = own(ARGV[4], ARGV[5], ARGV[6], ARGV[7])
if not c then return {'ok'} end
local rung, answered = c[8], c[9]
if ARGV[8] ~= '' then c[8] = ARGV[8] end
if ARGV[9] ~= '' then c[9] = ARGV[9] end
if c[8] ~= rung or c[9] ~= answered then setclaim(c) end
return {'ok'}
