package sip

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// Numbers outside are called over one connection to the trunk, which shows a certificate for the host of its address; calls
// over that are the trunk's, and one that goes on when the connection is lost goes on over another.
func TestTrunkTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	carrier := newTLSCarrier(t, ca.issue(nil, "localhost"), nil)
	incoming := make(chan call.Incoming, 1)
	legs := make(chan call.Leg, 1)
	r, _ := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file}, func(o *Options) {
		takes := untilOver(legs)
		o.OnIncoming = func(ctx context.Context, in call.Incoming) { incoming <- in; takes(ctx, in) }
	})
	out := r.outside(t.Context(), "13912345678")
	p := carrier.next(r)
	require.Equal(t, "localhost", p.conn.(*tls.Conn).ConnectionState().ServerName)
	inv := p.expect("INVITE sip:13912345678@localhost:"+carrier.port+";transport=tls ", "INVITE")
	require.Contains(t, inv.header("via"), "SIP/2.0/TLS "+r.tls().String())
	require.Contains(t, inv.header("contact"), "@"+r.tls().String()+";transport=tls>")
	p.respond(inv, 200, "OK", "x", sdpGood, "Contact: <sip:gw@192.0.2.1>")
	p.expect("ACK sip:gw@192.0.2.1 ", "ACK")
	first := next(t, out)
	require.NoError(t, first.err)

	k := p.dialog(testNumber)
	answer := k.answered()
	require.Equal(t, "city", next(t, incoming).Trunk)
	require.Contains(t, answer.header("contact"), "@"+r.tls().String()+";transport=tls>")
	theirs := next(t, legs)

	second := r.outside(t.Context(), "13900000000")
	p.respond(p.expect("INVITE sip:13900000000@", "INVITE"), 486, "Busy Here", "y", "")
	refusedFor(t, next(t, second), call.CauseBusy)
	require.InDelta(t, 1, r.connections(connectionMade), 0)

	require.NoError(t, p.conn.(*tls.Conn).NetConn().Close())
	require.Eventually(t, func() bool { return !r.conns.alive(transportTLS, parsePeer("127.0.0.1:"+carrier.port)) }, testWait, time.Millisecond)
	first.leg.Hangup(call.CauseBye)
	p = carrier.next(r)
	p.respond(p.expect("BYE sip:gw@192.0.2.1 ", "BYE"), 200, "OK", "", "")
	require.NoError(t, theirs.Context().Err())
	theirs.Hangup(call.CauseBye)
	p.respond(p.expect("BYE sip:caller@", "BYE"), 200, "OK", "", "")
	require.InDelta(t, 2, r.connections(connectionMade), 0)
}

// A certificate that is another's, or signed by nobody we believe, is refused in words that say which; nothing is sent.
// Another name in the settings, and another file of authorities, are in force for the next connection.
func TestTrunkTLSRefused(t *testing.T) {
	t.Parallel()
	ca, foreign := newAuthority(t), newAuthority(t)
	carrier := newTLSCarrier(t, ca.issue(nil, "sip.other.example"), nil)
	r, logs := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file}, nil)
	refusedFor(t, next(t, r.outside(t.Context(), "139")), call.CauseUnreachable)
	said := func(words string) {
		t.Helper()
		lines := logs.FilterMessage("no connection to a trunk").TakeAll()
		require.NotEmpty(t, lines)
		logs.TakeAll()
		require.Equal(t, "city", lines[0].ContextMap()["trunk"])
		require.Contains(t, lines[0].ContextMap()["error"], words)
	}
	said(`it is not for "localhost", correct the trunk's address or tls.name`)
	require.InDelta(t, 1, r.connections(connectionUntrusted), 0)

	s := r.as()
	named := func(o TrunkTLS) {
		t.Helper()
		trunk := s.Trunks[0]
		trunk.TLS = &o
		s.Trunks = []TrunkOptions{trunk}
		r.reload(t, s)
	}
	named(TrunkTLS{CA: foreign.file, Name: "sip.other.example"})
	refusedFor(t, next(t, r.outside(t.Context(), "139")), call.CauseUnreachable)
	said(`signed by "CN=an authority"`)
	named(TrunkTLS{Name: "sip.other.example"}) // the system's
	refusedFor(t, next(t, r.outside(t.Context(), "139")), call.CauseUnreachable)

	file := filepath.Join(t.TempDir(), "ca.pem")
	put := func(from string) {
		t.Helper()
		data, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, append([]byte(strings.Repeat("\n", len(data)%7+1)), data...), 0o600))
	}
	put(foreign.file)
	named(TrunkTLS{CA: file, Name: "sip.other.example"})
	refusedFor(t, next(t, r.outside(t.Context(), "139")), call.CauseUnreachable)
	require.NoError(t, os.WriteFile(file, []byte("half of it"), 0o600))
	r.outward.forget()
	refusedFor(t, next(t, r.outside(t.Context(), "139")), call.CauseUnreachable)
	require.Eventually(t, func() bool {
		return logs.FilterMessageSnippet("not taken, what they held before").Len() == 1
	}, testWait, time.Millisecond)
	put(ca.file)
	r.outward.forget()
	out := r.outside(t.Context(), "139")
	p := carrier.next(r)
	require.Equal(t, "sip.other.example", p.conn.(*tls.Conn).ConnectionState().ServerName)
	p.respond(p.expect("INVITE", "INVITE"), 486, "Busy Here", "y", "")
	refusedFor(t, next(t, out), call.CauseBusy)
	require.NoError(t, p.conn.(*tls.Conn).NetConn().Close())
	require.Eventually(t, func() bool { return !r.conns.alive(transportTLS, parsePeer("127.0.0.1:"+carrier.port)) }, testWait, time.Millisecond)
	out = r.outside(t.Context(), "139") // by what was read before
	p = carrier.next(r)
	p.respond(p.expect("INVITE", "INVITE"), 486, "Busy Here", "y", "")
	refusedFor(t, next(t, out), call.CauseBusy)

	s.Trunks[0].TLS = &TrunkTLS{CA: filepath.Join(t.TempDir(), "gone.pem")}
	_, err := r.Reload(s)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "trunk city")
	require.ErrorIs(t, CheckTrunkTLS(TrunkTLS{Key: "x"}), errHalfAPair)
	empty := filepath.Join(t.TempDir(), "empty.pem")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	require.ErrorIs(t, CheckTrunkTLS(TrunkTLS{CA: empty}), errNoAuthority)
}

// A carrier that asks for a certificate of ours gets it; one that gets none refuses us.
func TestTrunkTLSOwnCertificate(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	clients := x509.NewCertPool()
	clients.AddCert(ca.cert)
	carrier := newTLSCarrier(t, ca.issue(nil, "localhost"), clients)
	cert, key := ca.files(ca.issue(nil, "us.example"))
	r, _ := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file, Certificate: cert, Key: key}, nil)
	out := r.outside(t.Context(), "139")
	p := carrier.next(r)
	require.Equal(t, []string{"us.example"}, p.conn.(*tls.Conn).ConnectionState().PeerCertificates[0].DNSNames)
	p.respond(p.expect("INVITE", "INVITE"), 486, "Busy Here", "y", "")
	refusedFor(t, next(t, out), call.CauseBusy)

	bare, _ := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file}, nil)
	refusedFor(t, next(t, bare.outside(t.Context(), "139")), call.CauseUnreachable)
}

// A connection over which pings are not answered is taken for dead, and the next ping has another: a carrier that lost power
// does not say good-bye.
func TestTrunkTLSSilent(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	carrier := newTLSCarrier(t, ca.issue(nil, "localhost"), nil)
	r, _ := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file}, func(o *Options) {
		o.T1 = 100 * time.Millisecond
		o.Trunks[0].Ping = 100 * time.Millisecond
	})
	p := carrier.next(r)
	p.respond(p.expectPing(), 200, "OK", "p", "")
	r.up(t, true)
	r.up(t, false) // it answers no more
	p = carrier.next(r)
	for range 3 { // the connection is kept by the pings
		p.respond(p.expectPing(), 200, "OK", "p", "")
	}
	r.up(t, true)
	require.InDelta(t, 2, r.connections(connectionMade), 0)
}

// Trunks that are found at one address share a connection, if its certificate is believed for each: a trunk that it is not for
// has nothing sent over it. Of those that share it a call is that trunk's which has the number dialled.
func TestTrunkTLSShared(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	carrier := newTLSCarrier(t, ca.issue(nil, "localhost", "127.0.0.1"), nil)
	incoming, legs := make(chan call.Incoming, 1), make(chan call.Leg, 1)
	r, logs := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file}, func(o *Options) {
		takes := untilOver(legs)
		o.OnIncoming = func(ctx context.Context, in call.Incoming) { incoming <- in; takes(ctx, in) }
		like := func(name, number, host string, by TrunkTLS) TrunkOptions {
			one := o.Trunks[0]
			one.Name, one.TLS, one.Numbers = name, &by, map[string]call.Next{number: {Kind: call.Menu, Menu: "main"}}
			one.Out = &TrunkOut{Network: "tls", Address: host + ":" + carrier.port, From: number}
			return one
		}
		o.Trunks = append(o.Trunks, like("town", "96888", "127.0.0.1", TrunkTLS{CA: ca.file}),
			like("other", "96999", "127.0.0.1", TrunkTLS{CA: ca.file, Name: "sip.other.example"}))
		for prefix, trunk := range map[string]string{"138": "town", "137": "other"} {
			o.Dial = append(o.Dial, DialRule{Prefix: prefix, Trunk: trunk, PerMinute: 60, AtOnce: 5})
		}
	})
	var p *peer
	busy := func(number string) {
		t.Helper()
		out := r.outside(t.Context(), number)
		if p == nil {
			p = carrier.next(r)
		}
		p.respond(p.expect("INVITE sip:"+number+"@", "INVITE"), 486, "Busy Here", "y", "")
		refusedFor(t, next(t, out), call.CauseBusy)
	}
	busy("139")
	busy("138")
	refusedFor(t, next(t, r.outside(t.Context(), "137")), call.CauseUnreachable)
	require.Contains(t, logs.FilterMessage("no connection to a trunk").All()[0].ContextMap()["error"], `not for "sip.other.example"`)
	p.silence(50*time.Millisecond, "INVITE")
	require.InDelta(t, 1, r.connections(connectionMade), 0)

	for number, trunk := range map[string]string{testNumber: "city", "96888": "town"} {
		k := p.dialog(number)
		k.answered()
		require.Equal(t, trunk, next(t, incoming).Trunk)
		k.request("BYE", "")
		p.status("BYE", 200)
		ended(t, next(t, legs))
	}
}

// A trunk registers by TLS, at a registrar whose certificate is for the host of that address; its calls are known by the
// connection, and calls go out over the same.
func TestTrunkTLSRegisters(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	carrier := newTLSCarrier(t, ca.issue(nil, "sip:localhost"), nil)
	incoming, legs := make(chan call.Incoming, 1), make(chan call.Leg, 1)
	r, _ := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file}, func(o *Options) {
		takes := untilOver(legs)
		o.OnIncoming = func(ctx context.Context, in call.Incoming) { incoming <- in; takes(ctx, in) }
		o.Trunks[0].Allow = nil
		o.Trunks[0].Register = &TrunkRegister{
			Network: "tls", Address: "localhost:" + carrier.port, Username: "9677700", Password: carrierPassword, Expires: time.Hour,
		}
	})
	p := carrier.next(r)
	req := p.expect("REGISTER sip:localhost:"+carrier.port+";transport=tls ", "REGISTER")
	require.Contains(t, req.header("contact"), "@"+r.tls().String()+";transport=tls>")
	p.bind(req, 3600)
	r.registration(t, RegistrationUp)
	k := p.dialog(testNumber)
	k.answered()
	require.Equal(t, "city", next(t, incoming).Trunk)
	k.request("BYE", "")
	p.status("BYE", 200)
	ended(t, next(t, legs))
	out := r.outside(t.Context(), "139")
	p.respond(p.expect("INVITE", "INVITE"), 486, "Busy Here", "y", "")
	refusedFor(t, next(t, out), call.CauseBusy)
	require.InDelta(t, 1, r.connections(connectionMade), 0)

	strange := newTLSCarrier(t, ca.issue(nil, "sip.other.example"), nil)
	s := r.as()
	trunk := s.Trunks[0]
	other := *trunk.Register
	other.Address = "localhost:" + strange.port
	trunk.Register = &other
	s.Trunks = []TrunkOptions{trunk}
	put, err := r.Reload(s)
	require.NoError(t, err)
	put()
	bye := p.expect("REGISTER", "REGISTER")
	require.Equal(t, "0", bye.header("expires"))
	p.respond(bye, 200, "OK", "r", "")
	r.registration(t, RegistrationUnreachable)
	require.Positive(t, r.connections(connectionUntrusted))
}

// Of a host's addresses the one that takes our connection is called, and first from then on.
func TestTrunkTLSWhereItAnswers(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	carrier := newTLSCarrier(t, ca.issue(nil, "carrier.test"), nil)
	r, _ := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file}, func(o *Options) { o.Trunks[0].Out.Address = "carrier.test:" + carrier.port })
	dead, alive := netip.MustParseAddr("127.0.3.1"), netip.MustParseAddr("127.0.0.1")
	r.hosts.resolve = func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{dead, alive}, nil }
	out := r.outside(t.Context(), "13912345678")
	p := carrier.next(r)
	p.respond(p.expect("INVITE sip:13912345678@carrier.test:", "INVITE"), 486, "Busy Here", "x", "")
	refusedFor(t, next(t, out), call.CauseBusy)
	require.InDelta(t, 1, r.connections(connectionUnreachable), 0)
	at, err := r.hosts.lookUp(t.Context(), "carrier.test")
	require.NoError(t, err)
	require.Equal(t, []netip.Addr{alive, dead}, at)

	out = r.outside(t.Context(), "13900000000")
	p.respond(p.expect("INVITE sip:13900000000@carrier.test:", "INVITE"), 486, "Busy Here", "y", "")
	refusedFor(t, next(t, out), call.CauseBusy)
	require.InDelta(t, 1, r.connections(connectionMade), 0)
}
