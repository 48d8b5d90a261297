package sip

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
	"hotline/media"
)

// dialRig is a rig that calls out by rules, through a peer.
func dialRig(t *testing.T, out TrunkOut, rules ...DialRule) (*rig, *peer, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	r := newRig(t, func(o *Options) {
		out.Network, out.Address = "udp", "placeholder.invalid:5060"
		o.Trunks[0].Out = &out
		o.Trunks[0].Allow = []netip.Prefix{netip.MustParsePrefix("127.9.0.0/16")} // the trunk's answers come from elsewhere
		o.Dial = rules
		o.Logger = zap.New(core)
	})
	p := newPeer(t, "udp", r.udp())
	r.plan().list[0].out.Address = p.addr() // known only now; nobody has called yet
	k := p.dialog(testNumber)               // what is answered came by the socket that will be called from
	k.request("OPTIONS", "")
	p.status("OPTIONS", 200)
	return r, p, logs
}

func rule(prefix string) DialRule {
	return DialRule{Prefix: prefix, Trunk: "city", PerMinute: 600, AtOnce: 5}
}

// outside dials a number in the background.
func (r *rig) outside(ctx context.Context, number string) <-chan rung {
	out := make(chan rung, 1)
	go func() {
		l, err := r.Dial(ctx, call.DialRequest{Number: number, Agent: "8001", CallID: "c1", Prefer: media.PCMU})
		out <- rung{l, err}
	}()
	return out
}

func (r *rig) outcomes(trunk, outcome string) float64 {
	return testutil.ToFloat64(r.metrics.dialled.WithLabelValues(trunk, outcome))
}

// refusedFor requires that a number was not reached, and why.
func refusedFor(t *testing.T, got rung, why call.Cause) {
	t.Helper()
	require.Nil(t, got.leg)
	var failed *call.RingError
	require.ErrorAs(t, got.err, &failed)
	require.Equal(t, why, failed.Why)
}

// A number outside is called with our number, after a challenge with our password; the dialog goes by the trunk's
// route set.
func TestDial(t *testing.T) {
	t.Parallel()
	r, p, logs := dialRig(t, TrunkOut{Username: "hotline", Password: "hush", From: "96777"}, rule("139"))
	out := r.outside(t.Context(), "13912345678")
	inv := p.expect("INVITE sip:13912345678@"+p.addr()+" ", "INVITE")
	require.Contains(t, inv.header("from"), "<sip:96777@127.0.0.1>")
	require.Contains(t, inv.header("to"), "<sip:13912345678@127.0.0.1>")
	require.Equal(t, "<sip:96777@127.0.0.1>", inv.header("p-asserted-identity"))
	challenge := strings.Join([]string{
		"SIP/2.0 401 Unauthorized", "Via: " + inv.header("via"), "From: " + inv.header("from"), "To: " + inv.header("to") + ";tag=x",
		"Call-ID: " + inv.header("call-id"), "CSeq: " + inv.header("cseq"),
		`WWW-Authenticate: Digest realm="carrier", nonce="n", algorithm=MD5, qop="auth"`, "Content-Length: 0", "", "",
	}, "\r\n")
	p.write(challenge)
	p.expect("ACK", "ACK")
	inv = p.expect("INVITE", "INVITE")
	creds, err := parseCredentials(inv.header("authorization"), "carrier")
	require.NoError(t, err)
	ha1, err := HA1("md5", "hotline", "carrier", "hush")
	require.NoError(t, err)
	require.True(t, rightResponse(creds, "INVITE", ha1))
	require.NotEmpty(t, inv.header("p-asserted-identity"))
	require.Equal(t, media.PCMU, r.engine.opened()[0].o.Prefer)

	proxy := newPeer(t, "udp", r.udp())
	ok := strings.Join([]string{
		"SIP/2.0 200 OK", "Via: " + inv.header("via"), "From: " + inv.header("from"), "To: " + inv.header("to") + ";tag=y",
		"Call-ID: " + inv.header("call-id"), "CSeq: " + inv.header("cseq"), "Record-Route: <sip:" + proxy.addr() + ";lr>",
		"Contact: <sip:gw@192.0.2.1>", sdpHeader, "Content-Length: " + itoa(len(sdpGood)), "", sdpGood,
	}, "\r\n")
	p.write(ok)
	proxy.expect("ACK sip:gw@192.0.2.1", "ACK")
	got := next(t, out)
	require.NoError(t, got.err)
	require.InDelta(t, 1, r.outcomes("city", dialAnswered), 0)
	got.leg.Hangup(call.CauseBye)
	proxy.respond(proxy.expect("BYE sip:gw@192.0.2.1", "BYE"), 200, "OK", "", "")

	line := logs.FilterMessage("number outside dialled").All()
	require.Len(t, line, 1)
	require.Equal(t, call.AuditName, line[0].LoggerName)
	require.Equal(t, map[string]any{
		"number": "139******78", "agent": "8001", "call": "c1", "trunk": "city", "outcome": "answered",
	}, line[0].ContextMap())
	for _, l := range logs.All() {
		require.NotContains(t, l.ContextMap(), "hush")
	}
	require.True(t, r.known(netip.MustParseAddr("127.0.0.1")), "where the trunk is, it is no stranger")
}

func itoa(n int) string { return wholeSeconds(time.Duration(n) * time.Second) }

// Nothing dials out that no rule allows, and no number that reaches a feature in place of a person.
func TestDialForbidden(t *testing.T) {
	t.Parallel()
	r, p, _ := dialRig(t, TrunkOut{From: "96777"}, rule("139"), rule("+86"))
	for _, number := range []string{"", "138", "13", "139*1", "139#", "139a", "139 1", "++86", "*139", "139@x", "+8613912345678;ext=1"} {
		refusedFor(t, next(t, r.outside(t.Context(), number)), call.CauseForbidden)
	}
	require.InDelta(t, 11, r.outcomes("", dialNoRule), 0)
	p.silence(50*time.Millisecond, "INVITE")
}

// The bounds are the rule's with the longest prefix, and a call counts until its leg ends.
func TestDialBounds(t *testing.T) {
	t.Parallel()
	narrow := rule("139")
	narrow.AtOnce = 1
	r, p, _ := dialRig(t, TrunkOut{From: "96777"}, rule("1"), narrow)
	first := r.outside(t.Context(), "13912345678")
	inv := p.expect("INVITE", "INVITE")
	refusedFor(t, next(t, r.outside(t.Context(), "13900000000")), call.CauseForbidden)
	require.InDelta(t, 1, r.outcomes("city", dialAtOnce), 0)
	p.respond(inv, 200, "OK", "y", sdpGood)
	l := next(t, first)
	require.NoError(t, l.err)
	p.expect("ACK", "ACK")
	refusedFor(t, next(t, r.outside(t.Context(), "13900000000")), call.CauseForbidden)
	l.leg.Hangup(call.CauseBye)
	p.respond(p.expect("BYE", "BYE"), 200, "OK", "", "")
	underWay := r.plan().dials.find("139")
	require.Eventually(t, func() bool {
		underWay.mu.Lock()
		defer underWay.mu.Unlock()
		return underWay.underWay == 0
	}, testWait, time.Millisecond)

	second := r.outside(t.Context(), "13900000000")
	p.respond(p.expect("INVITE", "INVITE"), 486, "Busy Here", "z", "")
	refusedFor(t, next(t, second), call.CauseBusy)
	require.InDelta(t, 1, r.outcomes("city", string(call.CauseBusy)), 0)
	p.expect("ACK", "ACK")

	// Freed by its failure, and taken back.
	ctx, cancel := context.WithCancelCause(t.Context())
	third := r.outside(ctx, "13900000000")
	inv = p.expect("INVITE", "INVITE")
	p.respond(inv, 180, "Ringing", "w", "")
	cancel(call.CancelCause{Why: call.CauseNoAnswer})
	c := p.expect("CANCEL", "CANCEL")
	p.respond(c, 200, "OK", "w", "")
	p.respond(inv, 487, "Request Terminated", "w", "")
	refusedFor(t, next(t, third), call.CauseNoAnswer)
}

// As many as a minute's calls at once, and then as they come back.
func TestDialRate(t *testing.T) {
	t.Parallel()
	p, err := newDialPlan([]DialRule{{Prefix: "1", Trunk: "x", PerMinute: 2, AtOnce: 5}}, newTrunks([]TrunkOptions{{Name: "x", Out: &TrunkOut{}}}))
	require.NoError(t, err)
	r := p.find("1")
	take := func(after time.Duration) string {
		free, refused := r.take(r.began.Add(after))
		if free != nil {
			free()
		}
		return refused
	}
	for _, c := range []struct {
		after time.Duration
		want  string
	}{
		{0, ""},
		{0, ""},
		{29 * time.Second, dialRate},
		{30 * time.Second, ""},
		{31 * time.Second, dialRate},
		{2 * time.Minute, ""},
		{2 * time.Minute, ""},
		{2 * time.Minute, dialRate},
	} {
		require.Equal(t, c.want, take(c.after), c.after)
	}
}

func TestDialHours(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("", 8*3600)
	day := Hours{From: 8 * time.Hour, To: 18 * time.Hour, Location: zone}
	night := Hours{From: 22 * time.Hour, To: 6 * time.Hour}
	for _, c := range []struct {
		hours Hours
		at    string
		want  bool
	}{
		{Hours{}, "2026-03-01T03:00:00Z", true},
		{day, "2026-03-01T00:00:00Z", true},
		{day, "2026-02-28T23:59:59Z", false},
		{day, "2026-03-01T10:00:00Z", false},
		{day, "2026-03-01T09:59:59Z", true},
		{night, "2026-03-01T05:59:59Z", true},
		{night, "2026-03-01T06:00:00Z", false},
		{night, "2026-03-01T22:00:00Z", true},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		require.NoError(t, err)
		require.Equal(t, c.want, c.hours.has(at), c.at)
	}
	p, err := newDialPlan([]DialRule{{Prefix: "1", Trunk: "x", PerMinute: 1, AtOnce: 1, Hours: day}},
		newTrunks([]TrunkOptions{{Name: "x", Out: &TrunkOut{}}}))
	require.NoError(t, err)
	_, refused := p.find("1").take(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	require.Equal(t, dialHours, refused)
}

func TestDialPlanIsChecked(t *testing.T) {
	t.Parallel()
	trunks := newTrunks([]TrunkOptions{{Name: "in"}, {Name: "out", Out: &TrunkOut{}}})
	for _, r := range []DialRule{
		{Prefix: "1", Trunk: "none", PerMinute: 1, AtOnce: 1},
		{Prefix: "1", Trunk: "in", PerMinute: 1, AtOnce: 1},
		{Prefix: "", Trunk: "out", PerMinute: 1, AtOnce: 1},
		{Prefix: "1", Trunk: "out", AtOnce: 1},
		{Prefix: "1", Trunk: "out", PerMinute: 1},
	} {
		_, err := newDialPlan([]DialRule{r}, trunks)
		require.Error(t, err)
	}
	_, err := New(Options{Engine: &fakeEngine{}, Dial: []DialRule{{Prefix: "1", Trunk: "in"}}})
	require.ErrorContains(t, err, `no trunk "in"`)
}

// A trunk that cannot be reached: its name is not known, or no listener of ours goes there.
func TestDialNoWay(t *testing.T) {
	t.Parallel()
	r, _, _ := dialRig(t, TrunkOut{From: "96777"}, rule("139"))
	out := r.plan().list[0].out
	for _, address := range []string{"192.0.2.1:5060", "[::1]:5060"} {
		out.Address = address
		refusedFor(t, next(t, r.outside(t.Context(), "139")), call.CauseUnreachable)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out.Address = "trunk.invalid"
	refusedFor(t, next(t, r.outside(ctx, "139")), call.CauseWithdrawn)
	require.InDelta(t, 2, r.outcomes("city", string(call.CauseUnreachable)), 0)
}

// That a carrier knows no such number is told of the number, and of nobody's fault; what says nothing of the number is not.
func TestDialNoSuchNumber(t *testing.T) {
	t.Parallel()
	r, p, logs := dialRig(t, TrunkOut{From: "96777"}, rule("139"))
	codes := map[int]call.Cause{
		404: call.CauseNotFound, 410: call.CauseNotFound, 484: call.CauseNotFound, 485: call.CauseNotFound, 604: call.CauseNotFound,
		400: call.CauseUnreachable, 416: call.CauseUnreachable, 480: call.CauseDeclined, 503: call.CauseUnreachable,
	}
	for code, why := range codes {
		out := r.outside(t.Context(), "13912345678")
		p.respond(p.expect("INVITE", "INVITE"), code, "No", "x", "")
		p.expect("ACK", "ACK")
		got := next(t, out)
		refusedFor(t, got, why)
		failed, ok := errors.AsType[*call.RingError](got.err)
		require.True(t, ok)
		require.Equal(t, code, failed.Code)
		lines := logs.FilterMessage("number outside dialled").All()
		require.Equal(t, string(why), lines[len(lines)-1].ContextMap()["outcome"], code)
	}
	require.InDelta(t, 5, r.outcomes("city", string(call.CauseNotFound)), 0)
	require.InDelta(t, 3, r.outcomes("city", string(call.CauseUnreachable)), 0)
}

// Over TCP we make the connection, and say so in the Request-URI and the Contact; a name is looked up.
func TestDialOverTCP(t *testing.T) {
	t.Parallel()
	r, _, _ := dialRig(t, TrunkOut{From: "96777"}, rule("139"))
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	require.NoError(t, listener.(*net.TCPListener).SetDeadline(time.Now().Add(testWait)))
	out := r.plan().list[0].out
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	out.Network, out.Address = "tcp", "localhost:"+port
	got := r.outside(t.Context(), "139")
	c, err := listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	p := &peer{t: t, conn: c, in: bufio.NewReader(c), to: r.tcp()}
	inv := p.expect("INVITE sip:139@localhost:"+port+";transport=tcp ", "INVITE")
	require.Contains(t, inv.header("contact"), r.tcp().String()+";transport=tcp")
	p.respond(inv, 603, "Decline", "x", "")
	refusedFor(t, next(t, got), call.CauseDeclined)
}

// Whether a number may be called is told without calling it: by no rule never, by a rule out of its hours not now.
func TestMayDial(t *testing.T) {
	t.Parallel()
	closed := rule("138")
	clock := time.Duration(time.Now().UTC().Hour()) * time.Hour
	closed.Hours = Hours{From: (clock + 12*time.Hour) % (24 * time.Hour), To: (clock + 13*time.Hour) % (24 * time.Hour)}
	r, _, _ := dialRig(t, TrunkOut{From: "96777"}, rule("139"), closed)
	for number, want := range map[string][2]bool{"1391": {true, true}, "1381": {true, false}, "1371": {}, "139*": {}, "": {}} {
		ever, now := r.MayDial(number)
		require.Equal(t, want, [2]bool{ever, now}, number)
	}
}

// A rule for trunk calls at home, which begin with 0, calls nobody abroad, whoever asks: an agent's phone, by INVITE or REFER
// (reach), a booking of a callback (MayDial), the duty list and the callback itself (Dial). A caller from there is shown with
// 00 by whoever writes numbers so. A rule that says 00 does.
func TestDialAbroad(t *testing.T) {
	t.Parallel()
	r, p, _ := dialRig(t, TrunkOut{From: "96777"}, rule("0"), rule("1"))
	n := &Numbering{Shown: FormNational}
	dear := n.shown("+882123456789")
	require.Equal(t, "00882123456789", dear)
	phone := netip.MustParseAddr("127.0.0.1")
	for _, number := range []string{dear, "00", "000", "0008613912345678"} {
		refusedFor(t, next(t, r.outside(t.Context(), number)), call.CauseForbidden)
		ever, now := r.MayDial(number)
		require.False(t, ever || now, number)
		at, why := r.reach("8001", phone, number)
		require.Equal(t, call.CauseNotFound, why, number)
		require.Zero(t, at)
	}
	p.silence(50*time.Millisecond, "INVITE")
	for _, number := range []string{n.shown("+862887654321"), "0", "01"} {
		ever, now := r.MayDial(number)
		require.True(t, ever && now, number)
	}
	abroad, err := newDialPlan([]DialRule{rule("0"), rule("00882")}, r.plan().trunks)
	require.NoError(t, err)
	require.Equal(t, "00882", abroad.find(dear).Prefix)
	require.Nil(t, abroad.find("00442071234567"))
	require.Equal(t, "0", abroad.find("02887654321").Prefix)
}
