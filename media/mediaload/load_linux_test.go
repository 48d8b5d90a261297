package mediaload

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"hotline/internal/testkit"
	"hotline/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = netip.MustParseAddr("127.0.0.1")

// freePorts are n ports for servers, and as many for phones.
func freePorts(t *testing.T, n int) (servers, phones media.PortRange) {
	t.Helper()
	first := uint16(testkit.FreePorts(t, 2*n))
	middle := first + uint16(n)
	return media.PortRange{Lo: first, Hi: middle - 1}, media.PortRange{Lo: middle, Hi: middle + uint16(n) - 1}
}

// heardBy loads a server with calls for a time, all of it steady.
func heardBy(t *testing.T, o Options, d time.Duration, join func(call int, offers [][]byte) [][]byte) Figures {
	t.Helper()
	o.Address = loopback
	l, err := Open(o)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	for call := range o.Calls {
		require.NoError(t, l.Connect(call, join(call, l.Offers(call))))
	}
	l.Steady()
	sent, err := l.Talk(t.Context(), d)
	require.NoError(t, err)
	f, err := l.Rest(t.Context())
	require.NoError(t, err)
	require.Equal(t, sent, f.Sent)
	require.Zero(t, f.Refused)
	return f
}

// counter is a tap that counts.
type counter struct {
	mu     sync.Mutex
	frames [2]int
}

func (c *counter) Frame(f media.Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := readMark(f.ALaw); ok && !f.At.IsZero() {
		c.frames[f.Side]++
	}
}

// TestPlain: the plain relay passes every packet of every call, and its tap hears both sides.
func TestPlain(t *testing.T) {
	servers, phones := freePorts(t, 40)
	relay := NewPlain(loopback, servers)
	tap := &counter{}
	const calls, packets = 8, 25
	f := heardBy(t, Options{Calls: calls, Ports: phones}, packets*media.FrameDuration, func(_ int, offers [][]byte) [][]byte {
		answers, err := relay.Join(offers, tap)
		require.NoError(t, err)
		return answers
	})
	f.Late = 0 // a busy machine's
	require.Equal(t, Counts{Received: 2 * calls * packets}, f.Counts)
	require.Equal(t, 2*calls*packets, f.Latency.Count())
	require.Positive(t, f.Latency.Max())
	require.Equal(t, 2*calls*packets, f.Lateness.Count())
	require.NoError(t, relay.Part())
	require.Equal(t, [2]int{calls * packets, calls * packets}, tap.frames)

	_, err := relay.Join([][]byte{describe(party{at: netip.AddrPortFrom(loopback, servers.Lo)})}, nil)
	require.ErrorIs(t, err, errBadSDP)
	_, err = relay.Join([][]byte{[]byte("v=0\r\n"), nil}, nil)
	require.ErrorIs(t, err, errBadSDP)
	require.NoError(t, relay.Part())
}

// TestSecure: encrypted packets are known as others are, each side's by the key of its own; what another key encrypted
// is nobody's. The relay knows no key: it passes on what comes, and tells each phone the key of the other.
func TestSecure(t *testing.T) {
	servers, phones := freePorts(t, 40)
	relay := NewPlain(loopback, servers)
	defer func() { require.NoError(t, relay.Part()) }()
	const calls, packets = 4, 25
	stranger, err := newSecure()
	require.NoError(t, err)
	f := heardBy(t, Options{Calls: calls, Secure: true, Ports: phones}, packets*media.FrameDuration, func(call int, offers [][]byte) [][]byte {
		answers, err := relay.Join(offers, nil)
		require.NoError(t, err)
		for side := range answers {
			answer, err := described(answers[side])
			require.NoError(t, err)
			far, err := described(offers[1-side])
			require.NoError(t, err)
			require.Contains(t, string(offers[side]), "RTP/SAVP")
			if answer.crypto = far.crypto; call == 0 {
				answer.crypto = stranger.line()
			}
			answers[side] = describe(answer)
		}
		return answers
	})
	f.Late = 0
	require.Equal(t, Counts{Received: 2 * (calls - 1) * packets, Lost: 2 * packets, Damaged: 2 * packets}, f.Counts)
}

// TestSecureRefuses: an answer without a key that fits is none, and is not printed; what comes before it is not heard.
func TestSecureRefuses(t *testing.T) {
	s, err := newSecure()
	require.NoError(t, err)
	for _, line := range []string{"", "a=crypto:1 " + cryptoSuite, s.line() + "AAAA", "a=crypto:2" + s.line()[len("a=crypto:1"):]} {
		err := s.agree(line)
		require.ErrorIs(t, err, errBadSDP, line)
		require.NotContains(t, err.Error(), s.key)
	}
	sealed, err := s.seal(make([]byte, rtpHeader+frameBytes))
	require.NoError(t, err)
	require.Nil(t, s.unseal(sealed))
	require.NoError(t, s.agree(s.line()+"|2^31"))
	require.Nil(t, s.unseal(sealed[:20]))
}

// TestPlantedFaults: a relay that does everything wrong, each fault to the packets of other calls, has each of them
// counted, and no other.
func TestPlantedFaults(t *testing.T) {
	servers, phones := freePorts(t, 40)
	const packets = 50
	const tenths = 2 * packets / 10 // of the packets of a call, both ways
	faulty := newFaulty(t, servers)
	f := heardBy(t, Options{Calls: 8, Ports: phones}, packets*media.FrameDuration, faulty.join)
	require.Equal(t, 2*2*packets, f.Foreign, "calls 0 and 1 hear each other")
	require.Equal(t, 2*2*packets+tenths+tenths, f.Lost, "what others got, call 2's tenths, and call 7's, which are damaged")
	require.Equal(t, tenths, f.Doubled, "call 3")
	require.Equal(t, tenths, f.Disordered, "call 4")
	require.GreaterOrEqual(t, f.Late, 2*packets, "call 5")
	require.GreaterOrEqual(t, f.Latency.Quantile(0.99), delay)
	require.Equal(t, tenths, f.Damaged, "call 7")
	require.Equal(t, 8*2*packets-f.Lost, f.Received)
	require.Zero(t, f.Silent)
}

// faulty is a relay with a fault for each of its calls, by their number.
type faulty struct {
	t    *testing.T
	free ports

	mu     sync.Mutex
	phones [16]netip.AddrPort // of the first and second sides of calls in turn
}

// delay is what the faulty relay makes call 5 wait for.
const delay = 30 * time.Millisecond

func newFaulty(t *testing.T, r media.PortRange) *faulty {
	t.Helper()
	return &faulty{t: t, free: ports{next: r.Lo, last: r.Hi}}
}

func (f *faulty) join(call int, offers [][]byte) (answers [][]byte) {
	for side, offer := range offers {
		phone, err := described(offer)
		require.NoError(f.t, err)
		f.mu.Lock()
		f.phones[2*call+side] = phone.at
		f.mu.Unlock()
		var conn *net.UDPConn
		require.NoError(f.t, f.free.take(func(port uint16) (err error) {
			conn, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, port)))
			return err
		}))
		var running sync.WaitGroup
		running.Go(func() { f.relay(conn, call, side) })
		f.t.Cleanup(func() {
			require.NoError(f.t, conn.Close())
			running.Wait()
		})
		answers = append(answers, describe(party{at: conn.LocalAddr().(*net.UDPAddr).AddrPort()}))
	}
	return answers
}

// send sends a packet on to the other side of its call, or of the wrong one.
func (f *faulty) send(conn *net.UDPConn, call, side int, packet []byte) {
	if call < 2 {
		call = 1 - call
	}
	f.mu.Lock()
	to := f.phones[2*call+1-side]
	f.mu.Unlock()
	_, _ = conn.WriteToUDPAddrPort(packet, to)
}

func (f *faulty) relay(conn *net.UDPConn, call, side int) {
	type held struct {
		packet []byte
		until  time.Time
	}
	queue := make(chan held, 1000)
	var running sync.WaitGroup
	defer running.Wait()
	defer close(queue)
	running.Go(func() {
		for h := range queue {
			<-time.After(time.Until(h.until))
			f.send(conn, call, side, h.packet)
		}
	})
	var kept []byte
	buf := make([]byte, maxDatagram)
	for i := 0; ; i++ {
		n, _, err := conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		packet := append([]byte(nil), buf[:n]...)
		switch tenth := i%10 == 4; {
		case call == 5:
			queue <- held{packet, time.Now().Add(delay)}
			continue
		case tenth && call == 2: // lost
			continue
		case tenth && call == 4:
			kept = packet
			continue
		case tenth && call == 3:
			f.send(conn, call, side, packet)
		case tenth && call == 7:
			packet[n-1]++
		}
		f.send(conn, call, side, packet)
		if kept != nil {
			f.send(conn, call, side, kept)
			kept = nil
		}
	}
}

// TestPrompts: callers alone hear what an engine plays to them, and notice when it is another's.
func TestPrompts(t *testing.T) {
	servers, phones := freePorts(t, 40)
	e, err := media.NewPortable(media.Options{Address: loopback, Ports: servers})
	require.NoError(t, err)
	const calls = 4
	l, err := Open(Options{Calls: calls, Alone: true, Address: loopback, Ports: phones})
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	var playing sync.WaitGroup
	for call := range calls {
		s, err := e.Open(media.StreamOptions{})
		require.NoError(t, err)
		answer, err := s.Answer(l.Offers(call)[0])
		require.NoError(t, err)
		clip := Clip(call)
		if call == 3 {
			clip = Clip(2)
		}
		playing.Go(func() { _ = s.Play(t.Context(), clip) })
		require.NoError(t, l.Connect(call, [][]byte{answer}))
	}
	l.Steady()
	const packets = 10
	_, err = l.Talk(t.Context(), packets*media.FrameDuration)
	require.NoError(t, err)
	var f Figures
	testkit.Within(t, testkit.Patience, "prompts are heard", func() bool {
		f, err = l.Rest(t.Context())
		require.NoError(t, err)
		return f.Received >= 3*packets && f.Foreign >= packets
	})
	require.NoError(t, e.Close())
	playing.Wait()
	require.Equal(t, calls*packets, f.Sent)
	require.Zero(t, f.Lost)
	require.Zero(t, f.Damaged)
	require.Zero(t, f.Doubled)
	require.Positive(t, f.Latency.Count())
}

// TestLoadStops: a load whose context ends stops at once, and says why.
func TestLoadStops(t *testing.T) {
	_, phones := freePorts(t, 10)
	l, err := Open(Options{Calls: 1, Address: loopback, Ports: phones})
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	_, err = l.Talk(ctx, time.Hour)
	require.ErrorIs(t, err, why)
	require.ErrorIs(t, l.Connect(0, nil), errBadSDP)
	require.ErrorIs(t, l.Connect(0, [][]byte{[]byte("c=IN IP4 x\r\n"), nil}), errBadSDP)
	require.ErrorIs(t, l.Connect(0, [][]byte{[]byte("c=IN IP4 127.0.0.1\r\nm=audio 0 RTP/AVP 8\r\n"), nil}), errBadSDP)
	require.ErrorIs(t, l.Connect(0, [][]byte{[]byte("m=audio 4000 RTP/AVP 0\r\n"), nil}), errBadSDP)
}

// TestOpenRefuses: a load says what it lacks, and leaves nothing open.
func TestOpenRefuses(t *testing.T) {
	_, phones := freePorts(t, 4)
	_, err := Open(Options{Calls: 4, Address: loopback, Ports: phones})
	require.ErrorIs(t, err, media.ErrNoPorts)
	_, err = Open(Options{Address: loopback, Ports: phones})
	require.Error(t, err)
	_, err = Open(Options{Calls: 1, Address: netip.IPv6Loopback(), Ports: phones})
	require.Error(t, err)
	l, err := Open(Options{Calls: 1, Address: loopback, Ports: phones})
	require.NoError(t, err, "the ports are free again")
	require.NoError(t, l.Close())
}
