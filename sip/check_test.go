package sip

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

func replaceOnce(t *testing.T, s, old, with string) string {
	t.Helper()
	require.Contains(t, s, old)
	return strings.Replace(s, old, with, 1)
}

// Each malformed request gets the status it is owed, and the user agent goes on.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	without := func(name string) func(string) string {
		return func(m string) string { return regexp.MustCompile(`(?m)^`+name+`:.*\r\n`).ReplaceAllString(m, "") }
	}
	double := func(name string) func(string) string {
		return func(m string) string {
			line := regexp.MustCompile(`(?m)^` + name + `:.*\r\n`)
			return line.ReplaceAllStringFunc(m, func(l string) string { return l + l })
		}
	}
	swap := func(old, with string) func(string) string {
		return func(m string) string { return strings.Replace(m, old, with, 1) }
	}
	for _, c := range []struct {
		name   string
		mangle func(string) string
		code   int
	}{
		{"no To", without("To"), 400},
		{"no From", without("From"), 400},
		{"no From tag", func(m string) string {
			return regexp.MustCompile(`(From:[^;\r]*);tag=\w+`).ReplaceAllString(m, "$1")
		}, 200},
		{"no Call-ID", without("Call-ID"), 400},
		{"no Max-Forwards", without("Max-Forwards"), 200},
		{"two From", double("From"), 400},
		{"two To", double("To"), 400},
		{"two Call-ID", double("Call-ID"), 400},
		{"two Content-Length", double("Content-Length"), 400},
		{"CSeq of another method", swap("1 OPTIONS\r\n", "1 INVITE\r\n"), 400},
		{"another version", swap(" SIP/2.0\r\n", " SIP/7.0\r\n"), 505},
		{"another scheme", swap("OPTIONS sip:", "OPTIONS http:"), 416},
		{"unknown method", func(m string) string { return strings.ReplaceAll(m, "OPTIONS", "DANCE") }, 501},
		{"MESSAGE", func(m string) string { return strings.ReplaceAll(m, "OPTIONS", "MESSAGE") }, 405},
		{"extension", swap("Max-Forwards: 70\r\n", "Max-Forwards: 70\r\nRequire: nothing\r\n"), 420},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newPeer(t, "udp", r.udp()).dialog(testNumber)
			k.p.write(c.mangle(k.message("OPTIONS", 1, newBranch(), "")))
			w, err := k.p.read(testWait)
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(w.start, fmt.Sprintf("SIP/2.0 %d ", c.code)), w.start)
			if c.code == 405 {
				require.Equal(t, allowed, w.header("allow"))
			}
		})
	}
	require.Zero(t, r.panics.Load())
}

func TestOptions(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.request("OPTIONS", "")
	w := k.p.status("OPTIONS", 200)
	require.Equal(t, allowed, w.header("allow"))
	require.Equal(t, accepted, w.header("accept"))
	require.Contains(t, w.headers, "supported")
	r.Drain()
	k.request("OPTIONS", "")
	w = k.p.status("OPTIONS", 503)
	require.Empty(t, w.header("retry-after"))
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 4)
	r := newRig(t, func(o *Options) { o.OnIncoming = untilOver(legs) })
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.answered()
	k.request("DANCE", "")
	k.p.status("DANCE", 501)
	k.bye()
	r.quiet(t) // a response is counted when it has been sent
	require.InDelta(t, 1, testutil.ToFloat64(r.metrics.requests.WithLabelValues("INVITE")), 0)
	require.InDelta(t, 1, testutil.ToFloat64(r.metrics.requests.WithLabelValues(methodOther)), 0)
	require.InDelta(t, 1, testutil.ToFloat64(r.metrics.responses.WithLabelValues("INVITE", "200")), 0)
	problems, err := testutil.GatherAndLint(r.registry)
	require.NoError(t, err)
	require.Equal(t, []promlint.Problem(nil), problems)
	n, err := testutil.GatherAndCount(r.registry, "hotline_post_dial_seconds")
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, network := range []string{"udp", "tcp"} {
		addr := r.udp()
		if network == "tcp" {
			addr = r.tcp()
		}
		_, err := New(Options{Engine: &fakeEngine{}, Listen: []Listener{{Network: network, Address: addr}}})
		require.ErrorIs(t, err, errInUse)
		require.ErrorContains(t, err, addr.String())
	}
}

// Every cause has its status, and no status of refusal leads to one of success.
func TestReplyTable(t *testing.T) {
	t.Parallel()
	for why, code := range map[call.Cause]int{
		call.CauseBusy: 486, call.CauseOverload: 486, call.CauseNotFound: 404, call.CauseForbidden: 403,
		call.CauseShutdown: 503, call.CauseCancel: 487, call.CauseError: 500, call.CauseDeclined: 603,
		call.CauseNoAnswer: 480, "unheard-of": 500,
	} {
		require.Equal(t, code, statusOf(why), why)
	}
	for code, why := range map[int]call.Cause{
		0: call.CauseUnreachable, 302: call.CauseDeclined, 403: call.CauseDeclined, 404: call.CauseUnreachable,
		408: call.CauseUnreachable, 430: call.CauseUnreachable, 480: call.CauseDeclined, 486: call.CauseBusy,
		500: call.CauseUnreachable, 503: call.CauseUnreachable, 600: call.CauseBusy, 603: call.CauseDeclined,
		604: call.CauseUnreachable, 499: call.CauseDeclined, 699: call.CauseDeclined, 380: call.CauseDeclined,
		400: call.CauseUnreachable, 405: call.CauseUnreachable, 406: call.CauseUnreachable, 415: call.CauseUnreachable,
		416: call.CauseUnreachable, 420: call.CauseUnreachable, 488: call.CauseUnreachable, 491: call.CauseUnreachable,
		606: call.CauseUnreachable,
	} {
		require.Equal(t, why, causeOf(code), code)
	}
}

func TestMasked(t *testing.T) {
	t.Parallel()
	for in, out := range map[string]string{"13812345678": "138******78", "96777": "*****", "": "", "123456": "123*56"} {
		require.Equal(t, out, masked(in))
	}
}
