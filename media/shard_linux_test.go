package media

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// epollEngine is an engine with so many shards.
func epollEngine(t *testing.T, shards int) (*core, *epoll) {
	t.Helper()
	e, err := newCore(Options{Address: netip.MustParseAddr("127.0.0.1"), Ports: freePorts(t, 100)}, func(c *core) (transport, error) {
		return newEpoll(c, shards)
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	c := e.(*core)
	return c, c.transport.(*epoll)
}

func openStream(t *testing.T, c *core) *stream {
	t.Helper()
	s, err := c.Open(StreamOptions{})
	require.NoError(t, err)
	return s.(*stream)
}

// An event of a socket that was closed, or has moved, reaches nobody, though its slot has a new owner.
func TestSlotsStale(t *testing.T) {
	var table slots
	a, b := &descriptors{}, &descriptors{}
	index, generation := table.take(a)
	require.Same(t, a, table.owner(int32(index), generation))
	table.release(index)
	require.Nil(t, table.owner(int32(index), generation), "nobody has it")
	again, next := table.take(b)
	require.Equal(t, index, again)
	require.Nil(t, table.owner(int32(index), generation), "it has another owner")
	require.Same(t, b, table.owner(int32(again), next))
	other, _ := table.take(a)
	require.NotEqual(t, again, other)
}

// An event that was taken together with one that closed its line finds nobody, also when a new line has its slot.
func TestEventOfAClosedLine(t *testing.T) {
	c, _ := epollEngine(t, 1)
	s := openStream(t, c)
	shard, taken := homeOf(s.line), slot{}
	s.do(func() { taken = shard.slots.all[s.line.sockets.(*descriptors).slot] })
	require.NoError(t, s.Close())
	next := openStream(t, c)
	next.do(func() {
		index := int32(next.line.sockets.(*descriptors).slot)
		require.Zero(t, index, "the slot is used again")
		require.Nil(t, shard.slots.owner(index, taken.generation))
		require.Same(t, next.line.sockets, shard.slots.owner(index, taken.generation+1))
	})
}

// Lines go to the first shard that is not full, and to the emptiest when all are; bridged ones to one, and not to one
// that is full while there is another.
func TestPlaces(t *testing.T) {
	c, e := epollEngine(t, 3)
	e.full = 4
	has := func(lines ...int64) {
		t.Helper()
		for i, s := range e.shards {
			require.Equal(t, lines[i], s.lines.Load(), "shard %d", i)
		}
	}
	var streams []*stream
	open := func(n int) {
		for range n {
			streams = append(streams, openStream(t, c))
		}
	}
	bridge := func(a, b int) {
		t.Helper()
		unbridge, err := c.Bridge(streams[a], streams[b], nil)
		require.NoError(t, err)
		require.Same(t, homeOf(streams[a].line), homeOf(streams[b].line))
		unbridge()
	}
	open(4)
	has(4, 0, 0)
	bridge(0, 1)
	has(4, 0, 0) // they need not move to be together
	open(2)
	has(4, 2, 0)
	bridge(0, 4)
	has(3, 3, 0)
	bridge(1, 0)
	has(4, 2, 0)
	open(7)
	has(5, 4, 4)
	bridge(0, 12)
	open(1)
	for _, s := range e.shards {
		require.LessOrEqual(t, s.lines.Load(), int64(6))
	}
	for _, s := range streams {
		require.NoError(t, s.Close())
	}
	has(0, 0, 0)
}

// A line that moves to and fro loses no packet, has none twice or out of order, and does all that it is told, while
// packets come and commands are posted by many.
func TestMovesLoseNothing(t *testing.T) {
	c, e := epollEngine(t, 2)
	s := openStream(t, c)
	phone, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer func() { require.NoError(t, phone.Close()) }()
	agreed := &agreement{codec: PCMA, audio: 8, remote: phone.LocalAddr().(*net.UDPAddr).AddrPort()}
	agreed.receive[8] = payloadPCMA
	var numbers []uint16 // written on whatever shard has the line
	s.do(func() {
		s.line.agree(agreed, time.Now())
		s.line.listened = &listener{tapFunc(func(f Frame) { numbers = append(numbers, f.Sequence) })}
	})
	const packets, moves, commands = 2000, 400, 500
	var all sync.WaitGroup
	all.Go(func() {
		for i := range packets {
			_, err := phone.WriteToUDPAddrPort(datagram(8, uint16(i), uint32(i*frameSamples), make([]byte, frameSamples)), s.local)
			if err != nil {
				t.Error(err)
			}
			if i%50 == 0 { // what a socket holds is not what is tested
				for s.Stats().PacketsIn < uint64(i) && t.Context().Err() == nil {
				}
			}
		}
	})
	all.Go(func() {
		for i := range moves {
			to := e.shards[i%2]
			s.do(func() {
				if d := s.line.sockets.(*descriptors); d.home.Load() != to {
					d.home.Load().move(d, to)
				}
			})
		}
	})
	done := 0
	for range 3 {
		all.Go(func() {
			for range commands {
				s.do(func() { done++ })
			}
		})
	}
	all.Wait()
	require.Eventually(t, func() bool { return s.Stats().PacketsIn == packets }, testWait, time.Millisecond)
	s.do(func() {
		require.Len(t, numbers, packets)
		require.True(t, slices.IsSorted(numbers))
		require.Equal(t, 3*commands, done)
	})
	require.Zero(t, s.Stats().Duplicate)
	require.Equal(t, int64(1), e.shards[0].lines.Load()+e.shards[1].lines.Load())
}

type tapFunc func(Frame)

func (f tapFunc) Frame(frame Frame) { f(frame) }

// The timer stands still when a shard has no line.
func TestTimerDisarmed(t *testing.T) {
	c, e := epollEngine(t, 1)
	s := openStream(t, c)
	eventually := func(armed bool) { // it stands still for an instant whenever it fires
		require.Eventually(t, func() bool {
			var left unix.ItimerSpec
			err := unix.TimerfdGettime(e.shards[0].timer, &left)
			return err == nil && (left != unix.ItimerSpec{}) == armed
		}, testWait, time.Millisecond)
	}
	eventually(true)
	require.NoError(t, s.Close())
	eventually(false)
	s = openStream(t, c)
	eventually(true)
	require.NoError(t, s.Close())
}

// When all processors are busy Go does not look at the shard's own timer: its wheel turns all the same.
func TestTurnsWithoutItsTimer(t *testing.T) {
	c, e := epollEngine(t, 1)
	s := openStream(t, c)
	shard := e.shards[0]
	none, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	require.NoError(t, err)
	var timer int
	s.do(func() { // what it sets from now on is watched by nobody
		shard.poller.unwatch(shard.timer)
		timer, shard.timer = shard.timer, none
	})
	turns := shard.wheel.pace.turns.Load()
	require.Eventually(t, func() bool { return shard.wheel.pace.turns.Load() > turns+10 }, testWait, time.Millisecond)
	s.do(func() { shard.timer = timer })
	require.NoError(t, unix.Close(none))
	require.NoError(t, s.Close())
}

// After its end a shard does nothing, and says so; what was posted before is done or refused, never forgotten.
func TestShardEnds(t *testing.T) {
	s, err := newShard(zap.NewNop(), &tally{})
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.run()
	}()
	answers := make(chan bool, 100)
	for i := range 50 {
		if i == 20 {
			s.mail.post(command{f: func() { s.ended = true }}, nil)
		}
		if !s.mail.post(command{f: func() {}, done: answers}, nil) {
			answers <- false
		}
	}
	<-ended
	for i := range 50 {
		if done := <-answers; i < 20 {
			require.True(t, done, "command %d", i)
		}
	}
	require.False(t, s.mail.post(command{f: func() {}}, nil))
}

// The kernel's addresses and ours.
func TestSockaddr(t *testing.T) {
	for _, text := range []string{"127.0.0.1:5004", "[::1]:65535", "[2001:db8::1]:1", "255.255.255.255:40000"} {
		want := netip.MustParseAddrPort(text)
		var a sockaddr
		a.set(netip.MustParseAddrPort("[ffff::ffff]:65535")) // nothing of it is left
		a.set(want)
		require.Equal(t, want, a.get())
	}
	var a sockaddr
	a.set(netip.MustParseAddrPort("[::ffff:192.0.2.1]:7"))
	require.Equal(t, netip.MustParseAddrPort("192.0.2.1:7"), a.get(), "a mapped address is the IPv4 one")
}

// Datagrams come and go by the bare system calls, in both families; none waits, and a long one is cut.
func TestRawSockets(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		phone, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(host)})
		require.NoError(t, err)
		fd, port := -1, freePorts(t, 100).Hi-1
		for ; fd < 0; port -= 2 {
			fd, err = bindDescriptor(netip.AddrPortFrom(netip.MustParseAddr(host), port))
			if err != nil {
				require.ErrorIs(t, err, errPortTaken)
				fd = -1
			}
		}
		local := netip.AddrPortFrom(netip.MustParseAddr(host), port+2)
		_, err = bindDescriptor(local)
		require.ErrorIs(t, err, errPortTaken)
		var from sockaddr
		buf := make([]byte, 100)
		_, errno := receive(fd, buf, &from)
		require.Equal(t, unix.EAGAIN, errno)
		_, err = phone.WriteToUDPAddrPort(make([]byte, 200), local)
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			n, errno := receive(fd, buf, &from)
			return errno == 0 && n == len(buf)
		}, testWait, time.Millisecond)
		require.Equal(t, phone.LocalAddr().(*net.UDPAddr).AddrPort(), from.get())
		require.Zero(t, send(fd, []byte("hello"), &from))
		n, sender, err := phone.ReadFromUDPAddrPort(buf)
		require.NoError(t, err)
		require.Equal(t, "hello", string(buf[:n]))
		require.Equal(t, local, netip.AddrPortFrom(sender.Addr().Unmap(), sender.Port()))
		require.NoError(t, unix.Close(fd))
		require.NoError(t, phone.Close())
	}
}

// A line that is closed on its way to another shard is never that one's: no socket of its own is left to read, and the
// numbers of those it had may be others' by then.
func TestClosedOnTheWay(t *testing.T) {
	var panics atomic.Int32
	e, err := newCore(Options{
		Address: netip.MustParseAddr("127.0.0.1"), Ports: freePorts(t, 100),
		OnPanic: func(string, any) { panics.Add(1) },
	}, func(c *core) (transport, error) { return newEpoll(c, 2) })
	require.NoError(t, err)
	shards := e.(*core).transport.(*epoll).shards
	s := openStream(t, e.(*core))
	from, to := homeOf(s.line), shards[0]
	if from == to {
		to = shards[1]
	}
	busy, held := make(chan struct{}), make(chan struct{})
	to.mail.post(command{f: func() { close(busy); <-held }}, nil)
	<-busy
	// As is left behind by one who looked for the line there when it was there before.
	closed := make(chan bool, 1)
	to.mail.post(command{line: s.line, f: func() { _ = s.line.shut() }, done: closed}, nil)
	s.do(func() { from.move(s.line.sockets.(*descriptors), to) })
	close(held)
	require.True(t, <-closed)
	arrived := make(chan bool, 1)
	to.mail.post(command{f: func() {}, done: arrived}, nil)
	require.True(t, <-arrived)
	for _, s := range shards {
		require.Zero(t, s.lines.Load())
	}
	require.NoError(t, s.Close())
	require.NoError(t, e.Close())
	require.Zero(t, panics.Load())
}
