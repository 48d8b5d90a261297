package sip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

var errAway = errors.New("nothing answers")

// fakeCarrier is a registrar in a bubble of synctest, reached by TCP: it notes when it is asked, and ends the connection after
// each answer.
type fakeCarrier struct {
	g    *registration
	ends time.Duration // after an answer; 0: never

	mu    sync.Mutex
	says  func(n int) int // the status that the n-th REGISTER is answered with; 0: none
	asked []time.Time
}

// fakeTrunk is a trunk's registration that runs in a bubble.
func fakeTrunk(t *testing.T, ends time.Duration, says func(n int) int) *fakeCarrier {
	t.Helper()
	m, err := newMetrics(prometheus.NewRegistry())
	require.NoError(t, err)
	g := newRegistration("city", TrunkRegister{Network: "tcp", Address: "h:1"})
	u := &UA{log: zap.NewNop(), metrics: m, reading: make(chan struct{}), patience: context.Background()}
	close(u.reading)
	u.regs.running = map[string]*registration{g.name: g}
	c := &fakeCarrier{g: g, ends: ends, says: says}
	g.ua, g.ask = u, c.ask
	ctx, stop := context.WithCancel(t.Context())
	go g.run(ctx, nil)
	t.Cleanup(func() { stop(); <-g.done })
	return c
}

// ask is register.
func (c *fakeCarrier) ask(context.Context) (time.Duration, *sipmsg.Response, error) {
	c.mu.Lock()
	code := c.says(len(c.asked))
	c.asked = append(c.asked, time.Now())
	c.mu.Unlock()
	flow := flowKey{transportTCP, netip.MustParseAddrPort("192.0.2.1:5060")}
	if c.ends > 0 {
		time.AfterFunc(c.ends, func() {
			c.g.lost(connEnd{transport: flow.transport, peer: flow.source, at: time.Now()})
		})
	}
	switch code {
	case 0:
		return 0, nil, errAway
	case 200:
		c.g.bound.Store(&grantedBy{flow, time.Now()})
		return time.Hour, sipmsg.NewResponse(code, "OK"), nil
	}
	return 0, sipmsg.NewResponse(code, "No"), &StatusError{Method: "REGISTER", Code: code}
}

// when is when it was asked.
func (c *fakeCarrier) when() []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked
}

// forgets are the signs that a carrier may have forgotten us, each of which is given every few seconds for as long as a test runs.
var forgets = map[string]func(u *UA, g *registration){
	"connection ends": func(*UA, *registration) {}, // after each answer, as always
	"late ping":       func(u *UA, g *registration) { u.registerAnew(g.name, false) },
	"call refused":    func(_ *UA, g *registration) { g.doubt(time.Now()) },
	"restarted":       func(u *UA, g *registration) { u.registerAnew(g.name, true) },
}

// A carrier that had us registered, and refuses us since, is asked less and less often (RFC 5626 section 4.5), though it ends
// the connection after each refusal, and whatever else may say that it has forgotten us. Once it has us again the next loss is
// seen to soon.
func TestTrunkRefusedAndClosed(t *testing.T) {
	t.Parallel()
	for name, sign := range forgets {
		for _, code := range []int{401, 403, 408, 423, 500, 503, 603, 0} {
			if code == 0 && name == "restarted" {
				continue // who was silent, and is back, is asked soon
			}
			t.Run(fmt.Sprint(name, " ", code), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { refusedAndClosed(t, code, sign) })
			})
		}
	}
}

func refusedAndClosed(t *testing.T, code int, sign func(u *UA, g *registration)) {
	t.Helper()
	const refusals = 12
	c := fakeTrunk(t, time.Millisecond, func(n int) int {
		if n == 0 || n > refusals {
			return 200
		}
		return code
	})
	base, most := silentBase, silentMost
	if code != 0 && isFinal(code) {
		base, most = refusedBase, refusedMost
	}
	for len(c.when()) < refusals+2 {
		time.Sleep(3 * time.Second)
		if len(c.when()) <= refusals+1 {
			sign(c.g.ua, c.g)
		}
	}
	asked := c.when()
	require.LessOrEqual(t, asked[1].Sub(asked[0]), silentBase+4*time.Second, "it may have restarted")
	for i := 1; i <= refusals; i++ {
		require.GreaterOrEqual(t, asked[i+1].Sub(asked[i]), min(most, base<<(i-1))/2, "after refusal %d", i)
	}
	require.Equal(t, RegistrationUp, c.g.snapshot(time.Now()).now)

	c.mu.Lock()
	c.ends = 0
	c.mu.Unlock()
	time.Sleep(2 * silentMost) // asked again for the connection that the last answer ended, and left alone since
	before := len(c.when())
	c.g.lost(connEnd{transport: transportTCP, peer: c.g.bound.Load().over.source, at: time.Now()})
	time.Sleep(silentBase)
	synctest.Wait()
	require.Len(t, c.when(), before+1, "it is a loss like the first")
}

// One that closes connections that are idle for two minutes is registered to anew within seconds, however often.
func TestTrunkIdleClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const idle, times = 2 * time.Minute, 20
		c := fakeTrunk(t, idle, func(int) int { return 200 })
		time.Sleep(times * (idle + silentBase))
		asked := c.when()
		require.GreaterOrEqual(t, len(asked), times)
		for i := range asked[1:] {
			require.LessOrEqual(t, asked[i+1].Sub(asked[i]), idle+silentBase)
		}
	})
}

// One that grants every other REGISTER, and ends the connection after each, is not asked all the time either.
func TestTrunkGrantsAndFailsInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := fakeTrunk(t, time.Millisecond, func(n int) int { return 200 + 303*(n%2) })
		time.Sleep(time.Hour)
		const first = 2 * 6 // while the pauses grow
		require.LessOrEqual(t, len(c.when()), first+2*int(time.Hour/(silentMost/2)))
	})
}

// A refusal after an outage is the first: while nobody answered nothing was refused.
func TestTrunkRefusedAfterOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const silent = 20
		c := fakeTrunk(t, 0, func(n int) int {
			if n < silent {
				return 0
			}
			return 403
		})
		for len(c.when()) <= silent {
			time.Sleep(time.Second)
		}
		time.Sleep(time.Until(c.when()[silent].Add(refusedBase)))
		synctest.Wait()
		require.Len(t, c.when(), silent+2)
	})
}

// pingedLate has the trunk's carrier pinged every 5 s from now, which answers each other ping late, until stop is called.
func (c *fakeCarrier) pingedLate(t *testing.T) (stop func()) {
	t.Helper()
	p := newPinger(&TrunkOptions{Name: "city", Register: &c.g.o, Ping: 5 * time.Second})
	p.ua, p.back = c.g.ua, func(sure bool) { c.g.ua.registerAnew("city", sure) }
	pings := 0
	p.asks = func(context.Context) (int, error) {
		pings++
		p.late = pings%2 == 0
		return 200, nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.run(ctx) }()
	return func() {
		cancel()
		<-done
		require.Greater(t, pings, 100)
	}
}

// A carrier that answers each other ping late, and refuses to register us when it is asked for that, is pinged on and not asked
// to register us for it: its back-off stands.
func TestTrunkRefusedAfterLatePing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := fakeTrunk(t, 0, func(n int) int { return 200 + 203*min(n, 1) })
		stop := c.pingedLate(t)
		time.Sleep(30 * time.Minute)
		stop()
		asked := c.when()
		require.GreaterOrEqual(t, len(asked), 5)
		require.Less(t, asked[1].Sub(asked[0]), 20*time.Second, "the late ping was heeded")
		for i := range asked[2:] {
			require.GreaterOrEqual(t, asked[i+2].Sub(asked[i+1]), min(refusedMost, refusedBase<<i)/2)
		}
	})
}

// Nor is one that answers pings late, and REGISTER not at all.
func TestTrunkSilentWithLatePings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := fakeTrunk(t, 0, func(int) int { return 0 })
		time.Sleep(10 * time.Minute)
		before := len(c.when()) - 1
		stop := c.pingedLate(t)
		time.Sleep(10 * time.Minute)
		stop()
		asked := c.when()[before:]
		for i := range asked[1:] {
			require.GreaterOrEqual(t, asked[i+1].Sub(asked[i]), silentMost/2)
		}
	})
}
