package hep_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/hep"
	"hotline/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const (
	caller = "13912345678"
	crlf   = "\r\n"
)

var (
	ours4   = netip.MustParseAddrPort("192.0.2.1:5060")
	theirs4 = netip.MustParseAddrPort("[::ffff:192.0.2.9]:5070")
	ours6   = netip.MustParseAddrPort("[2001:db8::1]:5060")
	theirs6 = netip.MustParseAddrPort("[2001:db8::9]:5070")
)

// invite is an INVITE, received.
func invite(id string) call.WireMessage {
	text := "INVITE sip:96777@192.0.2.1 SIP/2.0" + crlf + "Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK" + id + crlf +
		"From: <sip:" + caller + "@192.0.2.9>;tag=1" + crlf + "To: <sip:96777@192.0.2.1>" + crlf + "Call-ID: " + id + crlf +
		"CSeq: 1 INVITE" + crlf + "Max-Forwards: 70" + crlf + "Content-Length: 0" + crlf + crlf
	return call.WireMessage{
		At: time.Now(), Received: true, Transport: "UDP", Local: ours4, Remote: theirs4, CallID: id, Data: []byte(text),
	}
}

// ofCall is an INVITE of a call.
func ofCall() call.WireMessage {
	m := invite("a")
	m.Call = "call-a"
	return m
}

// ok is our answer to it.
func ok(id string) call.WireMessage {
	m := invite(id)
	m.Received = false
	_, rest, _ := strings.Cut(string(m.Data), crlf)
	m.Data = []byte("SIP/2.0 200 OK" + crlf + rest)
	return m
}

type rig struct {
	*hep.Exporter
	registry *prometheus.Registry
	stop     func()
}

// run starts an exporter, and stops it at the test's end.
func run(t *testing.T, callOf func(string) string) *rig {
	t.Helper()
	r := &rig{registry: prometheus.NewPedanticRegistry()}
	var err error
	r.Exporter, err = hep.New(hep.Options{CallOf: callOf, Registry: r.registry})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stopped := false
	r.stop = func() {
		cancel()
		if !stopped {
			stopped = true
			require.NoError(t, <-done)
		}
	}
	t.Cleanup(r.stop)
	return r
}

func (r *rig) count(t *testing.T, outcome string) int {
	t.Helper()
	families, err := r.registry.Gather()
	require.NoError(t, err)
	for _, m := range families[0].GetMetric() {
		if m.GetLabel()[0].GetValue() == outcome {
			return int(m.GetCounter().GetValue())
		}
	}
	t.Fatalf("no outcome %s: %d", outcome, testutil.CollectAndCount(r.registry))
	return 0
}

// Every chunk says what the message was; which call it belongs to is asked when it is sent, not when it came.
func TestChunks(t *testing.T) {
	t.Parallel()
	s, _ := testkit.StartHEPServer(t, "127.0.0.1:0")
	calls := make(chan string, 1)
	r := run(t, func(id string) string { require.Equal(t, "early", id); return <-calls })
	r.Aim(&hep.Target{Address: s.Addr, ID: 2001, Key: "secret", Full: true})
	early := invite("early")
	r.Send(early)
	six := ok("six")
	six.Call, six.Local, six.Remote, six.Transport = "call-6", ours6, theirs6, "TLS"
	r.Send(six)
	calls <- "call-4"
	testkit.Within(t, testkit.Patience, "two packets", func() bool { return len(s.Packets(t)) == 2 })
	got := s.Packets(t)
	require.Equal(t, testkit.HEPPacket{
		Family: 2, Protocol: 17, Type: 1, Source: netip.MustParseAddrPort("192.0.2.9:5070"), Target: ours4,
		At: time.UnixMicro(early.At.UnixMicro()), Capture: 2001, Key: "secret", Correlation: "call-4", Payload: early.Data,
	}, got[0])
	require.Equal(t, testkit.HEPPacket{
		Family: 10, Protocol: 22, Type: 1, Source: ours6, Target: theirs6, At: time.UnixMicro(six.At.UnixMicro()),
		Capture: 2001, Key: "secret", Correlation: "call-6", Payload: six.Data,
	}, got[1])
	require.Equal(t, 2, r.count(t, "sent"))
}

// Both ends of a packet are of one family, that of the end which is known.
func TestFamilyOfAPacket(t *testing.T) {
	t.Parallel()
	s, _ := testkit.StartHEPServer(t, "127.0.0.1:0")
	r := run(t, nil)
	r.Aim(&hep.Target{Address: s.Addr, ID: 1, Full: true})
	all := func(ip string) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr(ip), 5060) }
	for i, c := range []struct {
		local, remote netip.AddrPort
		family        byte
		target        netip.AddrPort // ours: the message was received
	}{
		{all("::"), theirs4, 2, all("0.0.0.0")},
		{all("0.0.0.0"), theirs6, 10, all("::")},
		{all("::ffff:0.0.0.0"), theirs4, 2, all("0.0.0.0")},
		{all("::ffff:192.0.2.1"), theirs4, 2, ours4},
		{netip.AddrPort{}, theirs6, 10, netip.MustParseAddrPort("[::]:0")},
		{netip.AddrPort{}, theirs4, 2, netip.MustParseAddrPort("0.0.0.0:0")},
	} {
		m := invite(fmt.Sprint(i))
		m.Local, m.Remote = c.local, c.remote
		r.Send(m)
		testkit.Within(t, testkit.Patience, "a packet", func() bool { return len(s.Packets(t)) == i+1 })
		got := s.Packets(t)[i]
		require.Equal(t, c.family, got.Family, i)
		require.Equal(t, c.target, got.Target, i)
		require.Equal(t, netip.AddrPortFrom(c.remote.Addr().Unmap(), c.remote.Port()), got.Source, i)
	}
}

// Numbers are hidden unless they are wanted, all but the hotline's own.
func TestNumbersAreHidden(t *testing.T) {
	t.Parallel()
	s, _ := testkit.StartHEPServer(t, "127.0.0.1:0")
	r := run(t, nil)
	r.Aim(&hep.Target{Address: s.Addr, ID: 1, Open: []string{"96777"}})
	m := invite("a")
	m.Data = append(m.Data, "Signal=7"+crlf+"Duration=160"+crlf...)
	r.Send(m)
	testkit.Within(t, testkit.Patience, "a packet", func() bool { return len(s.Packets(t)) == 1 })
	got := s.Packets(t)[0]
	require.Empty(t, got.Key)
	require.Empty(t, got.Correlation, "nobody says that it belongs to a call")
	text := string(got.Payload)
	require.NotContains(t, text, caller)
	require.Contains(t, text, call.Mask(caller))
	require.Contains(t, text, "sip:96777@")
	require.NotContains(t, text, "Signal=7")
	require.Len(t, text, len(m.Data))
}

// Kamailio, whose decoder is not ours, reads requests and answers, and whence they came.
func TestKamailioReadsIt(t *testing.T) {
	t.Parallel()
	k := testkit.StartKamailioHEP(t)
	r := run(t, nil)
	r.Aim(&hep.Target{Address: k.Addr, ID: 2001, Key: "secret"})
	r.Send(invite("first"))
	r.Send(ok("first"))
	over := func(transport string) {
		m := invite("by-" + transport)
		m.Transport = transport
		r.Send(m)
	}
	over("TCP")
	over("WS")
	over("TLS")
	over("WSS")
	got := k.Await(6)
	require.Equal(t, []string{
		"INVITE first udp 192.0.2.9 5070", "200 first udp 192.0.2.1 5060", "INVITE by-TCP tcp 192.0.2.9 5070", "INVITE by-WS tcp 192.0.2.9 5070",
	}, got[:4])
	for i, transport := range []string{"TLS", "WSS"} { // Kamailio 5.6 sends the number for TLS, and does not read it
		require.Regexp(t, "^INVITE by-"+transport+" [a-z]+ 192.0.2.9 5070$", got[4+i])
	}
}

// A server that is not there costs messages, which are counted, and nothing else; once it is there it gets those
// that come then. Without a target nothing is kept or counted.
func TestServerGoesAndComes(t *testing.T) {
	t.Parallel()
	r := run(t, nil)
	r.Send(invite("nowhere"))
	s, stop := testkit.StartHEPServer(t, "127.0.0.1:0")
	r.Aim(&hep.Target{Address: s.Addr, ID: 1, Full: true})
	r.Send(invite("before"))
	testkit.Within(t, testkit.Patience, "a packet", func() bool { return len(s.Packets(t)) == 1 })
	stop()
	testkit.Within(t, testkit.Patience, "a message that could not be sent", func() bool {
		r.Send(invite("lost"))
		return r.count(t, "failed") > 0
	})
	again, _ := testkit.StartHEPServer(t, s.Addr)
	testkit.Within(t, testkit.Patience, "a packet at the server that is back", func() bool {
		r.Send(invite("after"))
		return len(again.Packets(t)) > 0
	})
	r.Aim(nil)
	before := r.count(t, "sent")
	for i := range 20000 { // more than the queue holds
		r.Send(invite(fmt.Sprint(i)))
	}
	require.Zero(t, r.count(t, "dropped"))
	require.LessOrEqual(t, r.count(t, "sent")-before, 8192, "those that waited")
}

// What there is no room for is dropped and counted, and Send does not wait: nobody takes anything out here.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	e, err := hep.New(hep.Options{Registry: registry})
	require.NoError(t, err)
	e.Aim(&hep.Target{Address: "127.0.0.1:9", ID: 1})
	r := &rig{Exporter: e, registry: registry}
	for range 8192 {
		r.Send(ofCall())
	}
	require.Zero(t, r.count(t, "dropped"))
	r.Send(ofCall())
	require.Equal(t, 1, r.count(t, "dropped"))

	r.registry = prometheus.NewPedanticRegistry()
	r.Exporter, err = hep.New(hep.Options{Registry: r.registry})
	require.NoError(t, err)
	r.Aim(&hep.Target{Address: "127.0.0.1:9", ID: 1})
	large := ofCall()
	large.Data = make([]byte, 1<<20)
	for range 20 {
		r.Send(large)
	}
	require.Equal(t, 4, r.count(t, "dropped"), "of 20 MiB, 16 are kept")
}

// A flood of what belongs to no call takes half of the room, in number and in octets, and leaves the other to calls; what was
// sent is room again.
func TestStrangersLeaveRoom(t *testing.T) {
	t.Parallel()
	large := make([]byte, 1<<20)
	for name, c := range map[string]struct {
		data      []byte
		most, all int
	}{"number": {invite("a").Data, 4096, 8192}, "octets": {large, 8, 16}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &rig{registry: prometheus.NewPedanticRegistry()}
			var err error
			r.Exporter, err = hep.New(hep.Options{Registry: r.registry})
			require.NoError(t, err)
			r.Aim(&hep.Target{Address: "127.0.0.1:9", ID: 1})
			send := func(n int, m call.WireMessage) {
				for range n {
					m.Data = c.data
					r.Send(m)
				}
			}
			send(2*c.most, invite("stranger"))
			require.Equal(t, c.most, r.count(t, "dropped"))
			send(c.all-c.most, ofCall())
			require.Equal(t, c.most, r.count(t, "dropped"), "calls have theirs")
			send(1, ofCall())
			require.Equal(t, c.most+1, r.count(t, "dropped"))
		})
	}
	s, _ := testkit.StartHEPServer(t, "127.0.0.1:0")
	r := run(t, nil)
	r.Aim(&hep.Target{Address: s.Addr, ID: 1, Full: true})
	for sent := 0; sent < 3*4096; sent += 2048 {
		for range 2048 {
			r.Send(invite("stranger"))
		}
		testkit.Within(t, testkit.Patience, "they are sent", func() bool {
			return r.count(t, "sent")+r.count(t, "failed") == sent+2048
		})
	}
	require.Zero(t, r.count(t, "dropped"))
}

// What is too large for a datagram is dropped, and what waits behind it is sent. At the end what waits is sent too.
func TestTooLargeAndTheRest(t *testing.T) {
	t.Parallel()
	s, _ := testkit.StartHEPServer(t, "127.0.0.1:0")
	r := run(t, nil)
	r.Aim(&hep.Target{Address: s.Addr, ID: 1, Full: true})
	large := invite("large")
	large.Data = append(large.Data, make([]byte, 65600)...)
	r.Send(large)
	r.Send(invite("behind"))
	testkit.Within(t, testkit.Patience, "the one behind", func() bool { return len(s.Packets(t)) == 1 })
	require.Equal(t, 1, r.count(t, "dropped"))
	r.Send(invite("last"))
	r.stop()
	testkit.Within(t, testkit.Patience, "the last one", func() bool { return len(s.Packets(t)) == 2 })
	require.Contains(t, string(s.Packets(t)[1].Payload), "Call-ID: last")
}
