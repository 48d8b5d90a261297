package sip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
)

// registerAtTwo is a rig whose trunk registers to a name that has two addresses, a peer at each.
func registerAtTwo(t *testing.T) (r *rig, first, second *peer, logs *observer.ObservedLogs) {
	t.Helper()
	r, second, logs = registerRig(t, time.Hour, func(o *Options) {
		o.T1 = hostsT1
	})
	_, port, err := net.SplitHostPort(second.addr())
	require.NoError(t, err)
	first = newPeerAt(t, net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.3.1:"+port)), "udp", r.udp())
	r.hosts.resolve = func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.3.1"), netip.MustParseAddr("127.0.0.1")}, nil
	}
	second.bind(second.expect("REGISTER", "REGISTER"), 3600) // the rig's own; what follows is another's
	r.registration(t, RegistrationUp)
	s := r.as()
	trunk := s.Trunks[0]
	o := *trunk.Register
	o.Address = net.JoinHostPort("carrier.test", port)
	trunk.Register = &o
	s.Trunks = []TrunkOptions{trunk}
	r.reload(t, s)
	second.bind(second.expect("REGISTER", "REGISTER"), 0)
	return r, first, second, logs
}

// An address that asks to be left alone is, and the other is asked meanwhile; that one was silent, and not that nobody answered.
func TestTrunkRetryAfterOfOneAddress(t *testing.T) {
	t.Parallel()
	r, first, second, logs := registerAtTwo(t)
	first.respond(first.expect("REGISTER", "REGISTER"), 503, "Service Unavailable", "a", "", "Retry-After: 300")
	silent := second.expect("REGISTER", "REGISTER")
	require.Equal(t, 503, r.registration(t, RegistrationRefused).Code)
	require.LessOrEqual(t, nextTry(t, logs), silentBase)
	second.registers(silent.header("cseq"), nil)
	r.registration(t, RegistrationUp)
	first.silence(20*time.Millisecond, "REGISTER")
}

// Where all want to be left alone the first that does not any more is waited for.
func TestTrunkRetryAfterOfAllAddresses(t *testing.T) {
	t.Parallel()
	r, first, second, logs := registerAtTwo(t)
	first.respond(first.expect("REGISTER", "REGISTER"), 503, "Service Unavailable", "a", "", "Retry-After: 200")
	second.respond(second.expect("REGISTER", "REGISTER"), 503, "Service Unavailable", "b", "", "Retry-After: 300")
	r.registration(t, RegistrationRefused)
	require.LessOrEqual(t, nextTry(t, logs), 200*time.Second)
	require.Greater(t, nextTry(t, logs), 100*time.Second)
}

// A proxy that reached nobody leaves a REGISTER to the next address; who refuses for the whole account, and for how long, does not.
func TestTrunkRegistersAtNextAddress(t *testing.T) {
	t.Parallel()
	for code, other := range map[int]bool{408: true, 500: true, 403: false, 603: false} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			r, first, second, logs := registerAtTwo(t)
			first.respond(first.expect("REGISTER", "REGISTER"), code, "No", "a", "", "Retry-After: 300")
			if other {
				second.registers("", nil)
				r.registration(t, RegistrationUp)
				return
			}
			require.Equal(t, code, r.registration(t, RegistrationRefused).Code)
			require.Equal(t, 300*time.Second, nextTry(t, logs))
			second.silence(20*time.Millisecond, "REGISTER")
		})
	}
}

// A registration that may be there is taken back, though the carrier has failed since it made it.
func TestTrunkLeavesAfterFailure(t *testing.T) {
	t.Parallel()
	r, p, _ := registerRig(t, time.Hour, func(o *Options) { o.Trunks[0].Register.Refresh = 50 * time.Millisecond })
	p.bind(p.expect("REGISTER", "REGISTER"), 3600)
	p.respond(p.expect("REGISTER", "REGISTER"), 503, "Service Unavailable", "a", "")
	r.registration(t, RegistrationRefused)
	closed := make(chan error, 1)
	go func() { closed <- r.Close() }()
	for open := true; open; {
		req := p.expect("REGISTER", "REGISTER")
		p.bind(req, 0)
		open = req.header("expires") != "0"
	}
	require.NoError(t, next(t, closed))
}

// A registration whose connection has ended by the time that its answer is read is made anew.
func TestTrunkBoundByWhatHasEnded(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for transport, want := range map[string]int{transportTCP: 1, transportTLS: 1, transportUDP: 0} {
		g := newRegistration("city", TrunkRegister{Network: "tcp", Address: "h:1"})
		g.ua = r.UA
		g.boundBy(hop{transport: transport, dest: "192.0.2.1:5060"})
		require.Len(t, g.anew, want, transport)
	}
	p := newPeer(t, "tcp", r.tcp())
	p.write("\r\n\r\n")
	at := parsePeer(p.addr())
	require.Eventually(t, func() bool { return r.conns.living(flowKey{transportTCP, at}) != nil }, testWait, time.Millisecond)
	g := newRegistration("city", TrunkRegister{Network: "tcp", Address: "h:1"})
	g.ua = r.UA
	g.boundBy(hop{transport: transportTCP, dest: at.String()})
	require.Empty(t, g.anew)
}

// For how long a registration is: what is said of our Contact, or of the only one, which a border may have written anew.
func TestTrunkGranted(t *testing.T) {
	t.Parallel()
	g := newRegistration("city", TrunkRegister{Network: "udp", Address: "h:1", Username: "u", Password: "p", Expires: time.Hour})
	ours := "<sip:" + g.user + "@192.0.2.1>"
	for _, c := range []struct {
		expires  string
		contacts []string
		want     time.Duration
	}{
		{"", nil, time.Hour},
		{"600", nil, 10 * time.Minute},
		{"600", []string{ours + ";expires=60"}, time.Minute},
		{"600", []string{ours + ";expires=1200", "<sip:x@192.0.2.2>;expires=5"}, 20 * time.Minute},
		{"", []string{"<sip:x@192.0.2.2>;expires=60"}, time.Minute},
		{"600", []string{"<sip:x@192.0.2.2>;expires=60"}, time.Minute},
		{"600", []string{"<sip:x@192.0.2.2>;expires=3600"}, 10 * time.Minute},
		{"", []string{"<sip:x@192.0.2.2>;expires=60, <sip:y@192.0.2.2>;expires=5"}, time.Hour},
		{"", []string{"<sip:x@192.0.2.2>"}, time.Hour},
		{"", []string{"<sip:x@192.0.2.2>;expires=soon"}, time.Hour},
	} {
		res := sipmsg.NewResponse(200, "OK")
		if c.expires != "" {
			res.AppendHeader(sipmsg.NewHeader("Expires", c.expires))
		}
		for _, one := range c.contacts {
			res.AppendHeader(sipmsg.NewHeader("Contact", one))
		}
		require.Equal(t, c.want, g.granted(res), c)
	}
}

// A carrier that was called at one address and then at another is known at both: the call at the first may go on, and what it
// says is no stranger's. So it is after a reload.
func TestTrunkCalledAtBoth(t *testing.T) {
	t.Parallel()
	r, first, _, _ := failoverRig(t, func(o *Options) { o.T1 = hostsT1 })
	twoAddresses(t, r.UA, first) // at 127.0.3.1 nobody is
	got := r.outside(t.Context(), "13912345678")
	first.respond(first.expect("INVITE", "INVITE"), 486, "Busy Here", "a", "")
	refusedFor(t, next(t, got), call.CauseBusy)
	silent, answered := netip.MustParseAddr("127.0.3.1"), netip.MustParseAddr("127.0.0.1")
	for range 2 {
		require.True(t, r.known(silent))
		require.True(t, r.known(answered))
		require.True(t, r.plan().list[0].answersAt(silent))
		r.reload(t, r.as())
	}
	require.False(t, r.known(netip.MustParseAddr("127.0.3.2")))
}

// No more addresses are kept than may be, those of late.
func TestAtomicAddrsAdd(t *testing.T) {
	t.Parallel()
	a, b, c := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::3")
	var list atomicAddrs
	for _, step := range []struct {
		add  netip.Addr
		want []netip.Addr
	}{{a, []netip.Addr{a}}, {a, []netip.Addr{a}}, {b, []netip.Addr{b, a}}, {a, []netip.Addr{a, b}}, {c, []netip.Addr{c, a}}} {
		list.add(step.add, 2)
		require.Equal(t, step.want, list.all())
	}
}
