package sip

import (
	"context"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"hotline/call"
)

// rig is a user agent under test, running.
type rig struct {
	*UA
	engine   *fakeEngine
	registry *prometheus.Registry
	panics   atomic.Int64
	flows    chan string
}

// udp and tcp are where the rig listens.
func (r *rig) udp() netip.AddrPort { return r.Addrs()[0] }
func (r *rig) tcp() netip.AddrPort { return r.Addrs()[1] }

// quiet waits until nothing is being handled.
func (r *rig) quiet(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		r.tasks.mu.Lock()
		defer r.tasks.mu.Unlock()
		return r.tasks.n == 0
	}, testWait, time.Millisecond)
}

// rigT1 is a rig's T1, where no other is asked for: such that nothing is resent, and nobody given up, because the
// machine is slow.
const rigT1 = 500 * time.Millisecond

// newRig runs a user agent on loopback that takes calls to testNumber from everywhere on it.
func newRig(t *testing.T, change func(o *Options)) *rig {
	t.Helper()
	return newRigWith(t, change, func(*UA) {})
}

// newRigWith is newRig, with something to be done before it runs.
func newRigWith(t *testing.T, change func(o *Options), before func(u *UA)) *rig {
	t.Helper()
	r := &rig{engine: &fakeEngine{}, registry: prometheus.NewPedanticRegistry(), flows: make(chan string, 16)}
	any4 := netip.MustParseAddrPort("127.0.0.1:0")
	o := Options{
		Listen: []Listener{{Network: "udp", Address: any4}, {Network: "tcp", Address: any4}},
		Realm:  "hotline", Engine: r.engine, T1: rigT1,
		Agents: []AgentOptions{{ID: "8001", Password: "one"}},
		Trunks: []TrunkOptions{{
			Name: "city", Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
			Numbers: map[string]call.Next{testNumber: {Kind: call.Menu, Menu: "main"}},
		}},
		OnPanic:  func(string, any) { r.panics.Add(1) },
		OnFlow:   func(agent string, up bool) { r.flows <- fmt.Sprint(agent, " ", up) },
		Logger:   zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel)),
		Registry: r.registry,
	}
	if change != nil {
		change(&o)
	}
	ua, err := New(o)
	require.NoError(t, err)
	r.UA = ua
	before(ua)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- ua.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
		for _, s := range r.engine.opened() {
			<-s.closed // every stream is closed by its leg
		}
		require.Empty(t, ua.legs.all(), "a leg was left behind")
		require.Empty(t, ua.reacks.invites, "an INVITE was left behind")
		require.Zero(t, ua.guards.n.Load(), "an INVITE's deadline was left behind")
	})
	return r
}

// unanswered hands each call's leg on, and leaves it as it is until it is over.
func unanswered(legs chan<- call.Leg) func(context.Context, call.Incoming) {
	return func(_ context.Context, in call.Incoming) {
		in.Leg.Attach(func(call.Command) bool { return true })
		legs <- in.Leg
		<-in.Leg.Context().Done()
	}
}

// untilOver is an OnIncoming that answers, and waits for the leg's end.
func untilOver(legs chan<- call.Leg) func(context.Context, call.Incoming) {
	return func(ctx context.Context, in call.Incoming) {
		if _, err := in.Leg.Answer(); err != nil {
			return
		}
		legs <- in.Leg
		select {
		case <-in.Leg.Context().Done():
		case <-ctx.Done():
			in.Leg.Hangup(call.CauseShutdown)
		}
	}
}

// ended waits for a leg's end and returns it.
func ended(t *testing.T, l call.Leg) call.LegEnd {
	t.Helper()
	select {
	case <-l.Context().Done():
	case <-time.After(testWait):
		require.FailNow(t, "the leg did not end")
	}
	e, ok := call.EndOf(l)
	require.True(t, ok)
	return e
}
