//go:build unix

package sip

import (
	"context"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// BenchmarkLadder measures the processor time of calls through a user agent, INVITE, 180, 200, ACK, BYE, with
// a ladder and, by turns in the same run, without; the caller's part, which is the same for both, included.
// It prints what the ladder adds as a share. There is no media in these calls: of a call with a minute of it
// the share is some hundred times less.
func BenchmarkLadder(b *testing.B) {
	const block = 50 // calls by turns
	var dial [2]func()
	for i := range dial {
		var trace func(string, []call.SIPMessage)
		if i == 1 {
			trace = func(string, []call.SIPMessage) {}
		}
		dial[i] = benchCaller(b, trace)
	}
	var spent [2]time.Duration
	for b.Loop() {
		for i, call := range dial {
			began := processorTime(b)
			for range block {
				call()
			}
			spent[i] += processorTime(b) - began
		}
	}
	b.ReportMetric(float64(spent[0].Microseconds())/float64(b.N*block), "µs/call-without")
	b.ReportMetric(100*(float64(spent[1])/float64(spent[0])-1), "%more")
}

// benchCaller runs a user agent that rings and answers, and returns what calls it, once.
func benchCaller(b *testing.B, trace func(string, []call.SIPMessage)) (dial func()) {
	b.Helper()
	loopback := netip.MustParseAddrPort("127.0.0.1:0")
	ua, err := New(Options{
		Listen: []Listener{{Network: "udp", Address: loopback}}, Engine: &fakeEngine{}, Trace: trace,
		Trunks: []TrunkOptions{{
			Name: "city", Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
			Numbers: map[string]call.Next{testNumber: {Kind: call.Menu, Menu: "main"}},
		}},
		OnIncoming: func(_ context.Context, in call.Incoming) {
			in.Leg.Belongs(string(in.Leg.ID()))
			if err := in.Leg.Ring(); err != nil {
				return
			}
			if _, err := in.Leg.Answer(); err == nil {
				<-in.Leg.Context().Done()
			}
		},
	})
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- ua.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		require.NoError(b, <-done)
	})
	p := newPeer(b, "udp", ua.Addrs()[0])
	return func() {
		k := p.dialog(testNumber)
		k.answered()
		k.request("BYE", "")
		p.status("BYE", 200)
	}
}

// processorTime is what this process has had of the processors so far.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
