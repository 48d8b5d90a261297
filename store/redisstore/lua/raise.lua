-- epoch, n
raise(ARGV[4], ARGV[5])
return {'ok'}
