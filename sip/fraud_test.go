package sip

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
)

// TestOneWayOut: an INVITE to who is no registered phone is sent by one function, which one other calls, and so on up to
// UA.Dial, where the rules are asked. Whoever adds another way out has to change this, and docs/toll-fraud.md.
func TestOneWayOut(t *testing.T) {
	t.Parallel()
	callers := callersIn(t, "invite", "inviteLarge", "dialAt", "dial", "dialIn", "dialBy")
	require.Equal(t, map[string][]string{
		"invite":      {"Phone.Dial", "UA.Ring", "UA.inviteLarge", "UA.ringThrough"}, // a phone of the simulation's; phones, here and at another node; numbers
		"inviteLarge": {"UA.dialAt"},
		"dialAt":      {"UA.dial"},
		"dial":        {"UA.dialIn"},
		"dialIn":      {"UA.dialBy"},
		"dialBy":      {"UA.Dial"},
	}, callers)
}

// callersIn are the functions and methods of this package, but for its tests, that call methods of the UA's by their names.
func callersIn(t *testing.T, methods ...string) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	out := make(map[string][]string)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range parsed.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && slices.Contains(methods, s.Sel.Name) && ofUA(s.X) {
					out[s.Sel.Name] = append(out[s.Sel.Name], nameOf(f))
				}
				return true
			})
		}
	}
	for _, names := range out {
		slices.Sort(names)
	}
	return out
}

// ofUA reports whether an expression is a user agent by its name: u, or something's ua.
func ofUA(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name == "u" || x.Name == "ua"
	case *ast.SelectorExpr:
		return x.Sel.Name == "ua" || x.Sel.Name == "UA"
	}
	return false
}

func nameOf(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	of := f.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	return of.(*ast.Ident).Name + "." + f.Name.Name
}

// writings are ways to write a number. The rules are 139 with 11 digits, 0 and +86.
var writings = []struct {
	user   string // of the URI, as the phone writes it
	number string // that is called; empty: none
	audit  bool   // a number that might have been meant for outside is refused
}{
	{"13912345678", "13912345678", false},
	{"13912345678;phone-context=%2B86", "13912345678", false},
	{"%31%33912345678", "13912345678", false},
	{"%2B8613912345678", "+8613912345678", false},
	{"01062345678", "01062345678", false},
	{"1391234567", "", true},   // a digit short
	{"139123456789", "", true}, // one too many
	{"139-1234-5678", "", true},
	{"139%2012345678", "", false},      // not a number, so not even shown
	{"13912345678%0d%0aX:", "", false}, // nor this
	{"13912345678,,0044", "", false},
	{"139*12345678", "", true},
	{"*72*13912345678#", "", true},
	{"8613912345678", "", true},
	{"008613912345678", "", true}, // 0 is not 00
	{"00442071234567", "", true},
	{"0044", "", true},
	{"%2B442071234567", "", true},
	{"%2B%2B8613912345678", "", true},
	{"%2B86004420712345", "", true}, // abroad by way of our own country
	{"%2B86193006834000", "", true}, // and a code
	{"1790913912345678", "", true},  // by a carrier's access code
	{"0179090044207123", "", true},  // the same, long enough for 0
	{"017909006834000", "", true},   // and as short as a number abroad may be
	{"0193006834000", "", true},     // by a short code
	{"019300123456", "019300123456", false},
	{"01234567890123456", "", true}, // longer than any number
	{"119", "", true},               // services are numbers like all others
	{"16812345", "", true},          // premium ones too
	{"8009", "", true},              // may be a colleague's, mistyped
	{"nobody", "", false},
}

func writingRig(t *testing.T, in chan<- call.Incoming) (*rig, *peer, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	r, p := referRigWith(t, func(o *Options) {
		o.Dial = []DialRule{
			{Prefix: "139", Digits: DigitRange{11, 11}, Trunk: "city", PerMinute: 60, AtOnce: 2},
			{Prefix: "0", Trunk: "city", PerMinute: 60, AtOnce: 2},
			{Prefix: "+86", Trunk: "city", PerMinute: 60, AtOnce: 2},
		}
		o.Logger = zap.New(core)
		if in != nil {
			o.OnIncoming = func(_ context.Context, one call.Incoming) {
				in <- one
				one.Leg.Hangup(call.CauseDeclined)
			}
		}
	})
	return r, p, logs
}

// TestWritings: however an agent's phone writes a number that it dials, it is called as the rules have it or not at all, and
// what might have been meant for outside is audited.
func TestWritings(t *testing.T) {
	t.Parallel()
	in := make(chan call.Incoming, 1)
	r, p, logs := writingRig(t, in)
	audited := 0
	for _, w := range writings {
		k := p.inviteAsAgent(w.user)
		if w.number != "" {
			k.ack(p.status("INVITE", 603), "")
			require.Equal(t, call.Next{Kind: call.Dial, Number: w.number}, next(t, in).At, w.user)
			continue
		}
		k.ack(p.status("INVITE", 404), "")
		if w.audit {
			audited++
		}
		require.InDelta(t, audited, r.outcomes("", dialNoRule), 0, w.user)
	}
	lines := logs.FilterMessage("number outside dialled").All()
	require.Len(t, lines, audited)
	for _, l := range lines {
		require.Equal(t, "8001", l.ContextMap()["agent"])
		require.Contains(t, l.ContextMap()["number"], "*", "masked")
	}
}

// TestReferWritings is TestWritings for transfers; besides, the host must be one of ours, and no header of the URI counts.
func TestReferWritings(t *testing.T) {
	t.Parallel()
	r, p, logs := writingRig(t, nil)
	k, leg, commands := atAgent(t, r, p)
	leg.Belongs("the call")
	refused := func(to string) {
		t.Helper()
		asked := k.refer(commands, to)
		require.Empty(t, asked.To, to)
		asked.Referral.Refuse(call.CauseForbidden)
		p.status("REFER", 202)
		k.told("100 Trying", active)
		k.told("404 Not Found", over)
		subscriptionOver(t, leg)
	}
	audited := 0
	for _, w := range writings {
		if strings.Contains(w.user, ",") {
			continue // a list of two, which TestReferRefused has
		}
		to := "<sip:" + w.user + "@hotline>"
		if w.number == "" {
			refused(to)
			if w.audit {
				audited++
			}
			require.InDelta(t, audited, r.outcomes("", dialNoRule), 0, w.user)
			continue
		}
		asked := k.refer(commands, to)
		require.Equal(t, call.Next{Kind: call.Dial, Number: w.number}, asked.To, w.user)
		asked.Referral.Refuse(call.CauseForbidden)
		p.status("REFER", 403)
	}
	for _, to := range []string{"<tel:+442071234567>", "<tel:00-44-20;phone-context=+86>", "<sip:00442071234567@hotline?Route=%3Csip:carrier.example;lr%3E>"} {
		refused(to)
		audited++
	}
	require.InDelta(t, audited, r.outcomes("", dialNoRule), 0)
	for _, to := range []string{"<sip:13912345678@carrier.example>", "<sip:00442071234567@192.0.2.1;user=phone>"} {
		refused(to)
	}
	require.InDelta(t, 2, r.outcomes("", dialForeign), 0)
	lines := logs.FilterMessage("number outside dialled").All()
	require.Len(t, lines, audited+2)
	for _, l := range lines {
		require.Equal(t, "the call", l.ContextMap()["call"], "that the REFER came in")
	}
	// What a header of the URI says changes nothing: the INVITE is ours.
	asked := k.refer(commands, "<sip:13912345678@hotline?Route=%3Csip:carrier.example;lr%3E&From=%3Csip:110@x%3E>")
	require.Equal(t, call.Next{Kind: call.Dial, Number: "13912345678"}, asked.To)
	asked.Referral.Refuse(call.CauseForbidden)
	p.status("REFER", 403)
	k.hangup(leg)
}

// TestLongest: a call that lasts for as long as its rule lets it is hung up, audited, and counts no more.
func TestLongest(t *testing.T) {
	t.Parallel()
	short := rule("139")
	short.Longest, short.AtOnce = 50*time.Millisecond, 1
	r, p, logs := dialRig(t, TrunkOut{From: "96777"}, short, rule("138"))
	for _, number := range []string{"13912345678", "13812345678", "13912345678"} {
		out := r.outside(t.Context(), number)
		p.respond(p.expect("INVITE sip:"+number, "INVITE"), 200, "OK", "y", sdpGood)
		p.expect("ACK", "ACK")
		got := next(t, out)
		require.NoError(t, got.err)
		if number == "13812345678" {
			got.leg.Hangup(call.CauseBye)
		}
		p.respond(p.expect("BYE", "BYE"), 200, "OK", "", "")
		if end := ended(t, got.leg); number == "13912345678" {
			require.Equal(t, call.LegEnd{By: call.System, Why: call.CauseExpired, At: end.At}, end)
		}
		underWay := r.plan().dials.find("13912345678")
		require.Eventually(t, func() bool {
			underWay.mu.Lock()
			defer underWay.mu.Unlock()
			return underWay.underWay == 0
		}, testWait, time.Millisecond)
	}
	require.InDelta(t, 2, r.outcomes("city", dialTooLong), 0)
	require.InDelta(t, 3, r.outcomes("city", dialAnswered), 0)
	require.Len(t, logs.FilterMessage("number outside dialled").All(), 5)
}

// TestRedirectionBehindProxy: a phone behind a proxy may have the caller at another line of its own, and not at a number of
// the proxy's.
func TestRedirectionBehindProxy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		contact, to string // PROXY is where the phone registers from
		followed    bool
	}{
		"another line":                 {"192.0.2.7:5070", "line2@192.0.2.7:5070", true},
		"a number at the proxy":        {"192.0.2.7:5070", "00442071234567@PROXY", false},
		"at the proxy's other port":    {"192.0.2.7:5070", "00442071234567@127.0.0.1:9", false},
		"who says to be at the proxy":  {"PROXY", "00442071234567@PROXY", false},
		"who says to be at its name":   {"proxy.example:5060", "00442071234567@proxy.example:5060", false},
		"somebody else's other number": {"192.0.2.7:5070", "00442071234567@192.0.2.8:5070", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			p := newPeer(t, "udp", r.udp())
			at := strings.NewReplacer("PROXY", p.addr())
			p.registerFrom(r, at.Replace(c.contact), "Via: SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bKphone")
			inv, out := p.rungBy(r)
			p.respond(inv, 302, "Moved", "a1", "", "Contact: <sip:"+at.Replace(c.to)+">")
			p.expect("ACK", "ACK")
			if c.followed {
				again := p.expect("INVITE sip:"+c.to, "INVITE")
				p.respond(again, 486, "Busy Here", "a2", "")
				p.expect("ACK", "ACK")
			}
			require.Error(t, next(t, out).err)
			refused := 1.0
			if c.followed {
				refused = 0
			}
			require.InDelta(t, refused, testutil.ToFloat64(r.metrics.redirects.WithLabelValues(redirectRefused)), 0)
		})
	}
}
