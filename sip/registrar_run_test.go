package sip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// bindAgent enters a binding as a REGISTER that passed would.
func bindAgent(t *testing.T, r *registrar, agent, transport, from string, cseq int) {
	t.Helper()
	req := registerRequest(t, agent, fmt.Sprintf("Contact: <sip:%s@%s>", agent, from), cseq)
	w, refused := r.readWish(req)
	require.Nil(t, refused)
	_, refused = r.apply(r.directory.Load(), agent, w, req, sourceAt(t, transport, from))
	require.Nil(t, refused)
}

// registerRequest makes a REGISTER with one more header line.
func registerRequest(t *testing.T, agent, header string, cseq int) *sipmsg.Request {
	t.Helper()
	msg, err := sipmsg.ParseMessage(fmt.Appendf(nil, "REGISTER sip:h SIP/2.0\r\n"+
		"Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\nFrom: <sip:%[1]s@h>;tag=1\r\nTo: <sip:%[1]s@h>\r\n"+
		"Call-ID: %[1]s\r\nCSeq: %[2]d REGISTER\r\n%[3]s\r\nContent-Length: 0\r\n\r\n", agent, cseq, header))
	require.NoError(t, err)
	req, ok := msg.(*sipmsg.Request)
	require.True(t, ok)
	return req
}

// runRegistrar runs r until the test ends.
func runRegistrar(t *testing.T, r *registrar) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
}

func manyAgents(n int) []AgentOptions {
	agents := make([]AgentOptions, n)
	for i := range agents {
		agents[i] = AgentOptions{ID: fmt.Sprint(8000 + i), Password: "x"}
	}
	return agents
}

// TestPingsAtOnce: a hundred dead phones are found out with no more than the allowed pings under
// way, each ping ends at its timeout, and expiry is not held up by them.
func TestPingsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const agents = 100
		var now, most, pings atomic.Int64
		r := newRegistrar(registrarOptions{
			agents: manyAgents(agents), pingsAtOnce: 10, pingEvery: 15 * time.Second, pingTimeout: 4 * time.Second,
			ping: func(ctx context.Context, _ flow) error {
				pings.Add(1)
				if n := now.Add(1); n > most.Load() {
					most.Store(n)
				}
				defer now.Add(-1)
				<-ctx.Done()
				return ctx.Err()
			},
		})
		runRegistrar(t, r)
		for i := range agents {
			bindAgent(t, r, fmt.Sprint(8000+i), "UDP", fmt.Sprintf("192.0.2.7:%d", 5000+i), 1)
		}
		time.Sleep(15*time.Second + 2*agents/10*4*time.Second)
		synctest.Wait()
		require.EqualValues(t, 10, most.Load())
		require.GreaterOrEqual(t, pings.Load(), int64(2*agents))
		for i := range agents {
			_, ok := r.lookup(fmt.Sprint(8000 + i))
			require.False(t, ok, "agent %d", 8000+i)
		}
	})
}

// TestDoubtedFlow: a phone that let a ring go unanswered is asked at once whether it is there, once, and one that is stays.
func TestDoubtedFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		there := true
		var pinged, told []string
		r := newRegistrar(registrarOptions{
			agents: manyAgents(1),
			onFlow: func(_ string, up bool) { told = append(told, fmt.Sprint(time.Since(began), " ", up)) },
			ping: func(ctx context.Context, _ flow) error {
				pinged = append(pinged, time.Since(began).String())
				if there {
					return nil
				}
				<-ctx.Done()
				return ctx.Err()
			},
		})
		runRegistrar(t, r)
		bindAgent(t, r, "8000", "UDP", "192.0.2.7:5071", 1)
		f, ok := r.lookup("8000")
		require.True(t, ok)
		time.Sleep(2 * time.Second)
		r.doubt("8000", f)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		there = false
		r.doubt("8000", f)
		r.doubt("8000", f)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"2s", "4s"}, pinged)
		require.Equal(t, []string{"0s true", "8s false"}, told)
		r.doubt("8000", f)
		r.doubt("8001", f)
		bindAgent(t, r, "8000", "UDP", "192.0.2.9:5071", 2)
		r.doubt("8000", f)
		synctest.Wait()
		require.Len(t, pinged, 2, "of a flow that is lost, or was replaced, there is no doubt")
	})
}

// TestDoubtedConnection: a phone over a connection, which would not know that it is lost, is asked twice all the same.
func TestDoubtedConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pings := 0
		r := newRegistrar(registrarOptions{agents: manyAgents(1), ping: func(ctx context.Context, _ flow) error {
			if pings++; pings > 1 {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}})
		runRegistrar(t, r)
		bindAgent(t, r, "8000", "TCP", "192.0.2.7:5071", 1)
		f, _ := r.lookup("8000")
		r.doubt("8000", f)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Equal(t, 2, pings)
		_, ok := r.lookup("8000")
		require.True(t, ok)
	})
}

// TestPingOfOldFlow: a ping or a call that fails after the phone has moved says nothing of where it is now.
func TestPingOfOldFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := netip.MustParseAddrPort("192.0.2.7:5071")
		began := time.Now()
		var pinged, told []string
		r := newRegistrar(registrarOptions{
			agents: manyAgents(1),
			onFlow: func(_ string, up bool) { told = append(told, fmt.Sprint(up)) },
			ping: func(ctx context.Context, f flow) error {
				if f.source != old {
					pinged = append(pinged, time.Since(began).String())
					return nil
				}
				<-ctx.Done()
				return ctx.Err()
			},
		})
		runRegistrar(t, r)
		bindAgent(t, r, "8000", "UDP", old.String(), 1)
		time.Sleep(20 * time.Second) // the first ping is missed, the second under way
		gone, ok := r.lookup("8000")
		require.True(t, ok)
		bindAgent(t, r, "8000", "UDP", "192.0.2.9:6000", 2)
		r.failed("8000", gone)
		f, ok := r.lookup("8000")
		require.True(t, ok)
		require.Equal(t, "192.0.2.9:6000", f.source.String())
		time.Sleep(31 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"35s", "50s"}, pinged, "no sooner for what the old flow did")
		require.Equal(t, []string{"true"}, told)
	})
}

// TestFlowsAreToldInOrder: onFlow runs one at a time, without the registrar's lock, and while it is
// slow no more waits for it than there are agents.
func TestFlowsAreToldInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *registrar
		release, told := make(chan struct{}), make(chan string, 100)
		r = newRegistrar(registrarOptions{
			agents: manyAgents(2),
			onFlow: func(agent string, up bool) {
				_, reachable := r.lookup(agent) // would deadlock under the lock
				told <- fmt.Sprint(agent, " ", up, " ", reachable)
				<-release
			},
		})
		runRegistrar(t, r)
		addr := netip.MustParseAddrPort("192.0.2.7:5071")
		for i := range 50 {
			bindAgent(t, r, "8000", "TCP", addr.String(), 2*i+1)
			synctest.Wait()
			bindAgent(t, r, "8001", "TCP", "192.0.2.8:5071", i+1)
			r.connClosed("tcp", addr)
		}
		require.LessOrEqual(t, len(r.changed), 2)
		close(release)
		synctest.Wait()
		close(told)
		var all []string
		for s := range told {
			all = append(all, s)
		}
		require.Equal(t, []string{"8000 true true", "8001 true true", "8000 false false"}, all)
	})
}

// TestSeveralAgentsAtOneSource: phones behind one socket are told apart.
func TestSeveralAgentsAtOneSource(t *testing.T) {
	r := newRegistrar(registrarOptions{agents: manyAgents(3)})
	from := netip.MustParseAddrPort("192.0.2.7:5071")
	for _, agent := range []string{"8002", "8000", "8001"} {
		bindAgent(t, r, agent, "UDP", from.String(), 1)
	}
	agent, ok := r.agentAt("udp", from)
	require.True(t, ok)
	require.Equal(t, "8000", agent)
	f, ok := r.lookup("8001")
	require.True(t, ok)
	r.failed("8001", f)
	_, ok = r.lookup("8001")
	require.False(t, ok)
	_, ok = r.lookup("8002")
	require.True(t, ok)
	mapped := netip.AddrPortFrom(netip.MustParseAddr("::ffff:192.0.2.7"), 5071)
	_, ok = r.agentAt("UDP", mapped)
	require.True(t, ok, "a dual-stack socket's way to write the same address")
}

func TestRegistrarOptionsCheck(t *testing.T) {
	require.NoError(t, registrarOptions{agents: []AgentOptions{{ID: "1", Password: "x"}}}.check())
	err := registrarOptions{digest: []string{"md6"}, agents: []AgentOptions{
		{ID: "1", Password: "x"},
		{ID: "1", Password: "x"},
		{ID: "2"},
		{ID: "3", Password: "x", Digest: []string{"no"}},
		{Password: "x"},
	}}.check()
	for _, want := range []string{`"md6"`, `agent "1"`, `agent "2": no password`, `agent "3"`, `agent ""`} {
		require.ErrorContains(t, err, want)
	}
}

// TestNoSecretIsLogged: registering well, badly and with somebody else's password leaves neither
// password nor digest in the log, and a guesser does not make it grow.
func TestNoSecretIsLogged(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	r := newRegistrar(registrarOptions{
		realm: "hotline", agents: []AgentOptions{{ID: "8001", Password: "secret"}}, logger: zap.New(core),
	})
	s := &scenario{t: t, r: r}
	s.remember(r.handle(registerRequest(t, "8001", "Expires: 60", 1), sourceAt(t, "UDP", "192.0.2.7:5071")))
	for i := range 100 {
		line := "Authorization: " + s.credentials("REGISTER", []string{"user=8001", "password=guess"})
		res := r.handle(registerRequest(t, "8001", line, i+2), sourceAt(t, "UDP", "192.0.2.7:5071"))
		require.Equal(t, 401, res.StatusCode)
	}
	line := "Contact: <sip:8001@h>\r\nAuthorization: " + s.credentials("REGISTER", []string{"user=8001", "password=secret"})
	require.Equal(t, 200, r.handle(registerRequest(t, "8001", line, 200), sourceAt(t, "UDP", "192.0.2.7:5071")).StatusCode)
	require.Equal(t, quotaBurst, logs.FilterMessage("wrong credentials").Len())
	require.Equal(t, 1, logs.FilterMessage("agent's phone registered").Len())
	for _, e := range logs.All() {
		text := fmt.Sprint(e.Message, e.ContextMap())
		require.NotContains(t, text, "secret")
		require.NotContains(t, text, "guess")
		require.NotContains(t, text, s.nonces[0])
	}
}

// TestRunStops: run returns with pings under way, after them.
func TestRunStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var returned atomic.Bool
		r := newRegistrar(registrarOptions{
			agents: manyAgents(1), pingTimeout: time.Hour,
			ping: func(ctx context.Context, _ flow) error {
				<-ctx.Done()
				time.Sleep(time.Second)
				returned.Store(true)
				return errors.New("stopped")
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.run(ctx) }()
		bindAgent(t, r, "8000", "UDP", "192.0.2.7:5071", 1)
		time.Sleep(16 * time.Second)
		cancel()
		require.NoError(t, <-done)
		require.True(t, returned.Load())
	})
}
