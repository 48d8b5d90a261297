package sip

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestShutOutTakesNobodysShare: what a banned host sends, or one that has used its own share up, is dropped before it counts as
// any stranger's: all others are heard beside it. What a banned host sends is not even looked at.
func TestShutOutTakesNobodysShare(t *testing.T) {
	t.Parallel()
	r := abuseRig(t, func(o *Options) {
		o.limits = defaultLimits()
		o.limits.each, o.limits.eachBurst, o.limits.all, o.limits.allBurst = 1, 5, 1, 10
	})
	_, banned := r.sentry.bans.ban(host(2), banLogin, time.Now())
	require.True(t, banned)
	const many = 40
	began := time.Now()
	p := r.from(t, 2)
	p.options(many / 2)
	for range many / 2 {
		p.write("noise")
	}
	r.await(t, dropBanned, many)
	require.Zero(t, r.dropped(dropNotSIP))
	answered := r.answeredOf(r.from(t, 3), many)
	require.LessOrEqual(t, answered, 5+secondsSince(began))
	r.from(t, 4).allAnswered(5)
}

// BenchmarkShutOut measures what an INVITE of a banned host costs once it has been read from the socket, and prints it as a
// share of the look at its octets that it is spared.
func BenchmarkShutOut(b *testing.B) {
	m, err := newMetrics(nil)
	require.NoError(b, err)
	l := defaultLimits()
	u := &UA{metrics: m, gate: newGate(l), sentry: newSentry(l, AbuseOptions{}, m), known: func(netip.Addr) bool { return false }}
	src := netip.MustParseAddrPort("192.0.2.1:5060")
	_, banned := u.sentry.bans.ban(src.Addr(), banScanner, time.Now())
	require.True(b, banned)
	invite := []byte("INVITE sip:96777@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n" +
		"From: <sip:100@192.0.2.1>;tag=1\r\nTo: <sip:96777@192.0.2.9>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nContact: <sip:100@192.0.2.1>\r\n" +
		"User-Agent: phone\r\nAllow: INVITE, ACK, CANCEL, BYE\r\nContent-Type: application/sdp\r\nContent-Length: 400\r\n\r\n" +
		strings.Repeat("a=x\r\n", 80))
	const block = 100 // by turns
	var took [2]time.Duration
	for b.Loop() {
		for i, look := range []func(){func() { u.admits(nil, src, invite) }, func() { sketchBounded(invite) }} {
			began := time.Now()
			for range block {
				look()
			}
			took[i] += time.Since(began)
		}
	}
	b.ReportMetric(float64(took[0].Nanoseconds())/float64(b.N*block), "ns/banned")
	b.ReportMetric(float64(took[0])/float64(took[1]), "x/looked-at")
}
