-- id, lease, node, last epoch, last book, the id of a new book
local id, last = ARGV[4], tonumber(ARGV[7])
if BOOK then sweep() else redis.call('DEL', unpack(KEYS)) end
if redis.call('HEXISTS', NODES, id) == 1 then return {'taken'} end
local epoch = tonumber(redis.call('HGET', META, 'epoch') or '0')
if not BOOK then redis.call('HSET', META, 'book', ARGV[9], 'last', '0-0') end
if not BOOK or epoch < last or epoch == last and BOOK ~= ARGV[8] then
  redis.call('HSET', META, 'epoch', whole(last + 1), 'n', '0')
end
redis.call('EXPIRE', META, KEEP)
put(NODES, id, ARGV[5] .. '\n' .. ARGV[6])
rank(LEASES, id, whole(now + tonumber(ARGV[5])))
note('n', ARGV[6])
return lease(id)
