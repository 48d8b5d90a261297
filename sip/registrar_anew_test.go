package sip

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// gatedRegistrar is a registrar of a site, whose onFlow waits while slow is open.
func gatedRegistrar(told *[]string, slow chan struct{}, ping func(context.Context, flow) error) *registrar {
	r := newRegistrar(registrarOptions{
		agents: manyAgents(2), ping: ping,
		onFlow: func(agent string, up bool) {
			if slow != nil && agent == "8001" {
				<-slow
			}
			*told = append(*told, fmt.Sprint(agent, " ", up))
		},
	})
	r.gates = newGates()
	return r
}

// TestFlowAnew: a phone that goes and comes before either was told is told as gone and there: its gate is held, and is opened
// by who asks where it was.
func TestFlowAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		slow := make(chan struct{})
		r := gatedRegistrar(&told, slow, nil)
		runRegistrar(t, r)
		bindAgent(t, r, "8000", "UDP", "192.0.2.7:5000", 1)
		synctest.Wait()
		require.Equal(t, []string{"8000 true"}, told)
		bindAgent(t, r, "8001", "UDP", "192.0.2.7:5001", 1)
		synctest.Wait() // onFlow is slow from here on
		gate := r.gates.byAgent["8000"]
		gate.Seed(call.GatePast{Agent: "8000"})
		bindAgent(t, r, "8000", "UDP", "192.0.2.7:5000", 2) // a refresh
		require.False(t, gate.Held())
		req := registerRequest(t, "8000", "Contact: *\r\nExpires: 0", 3)
		w, refused := r.readWish(req)
		require.Nil(t, refused)
		_, refused = r.apply(r.directory.Load(), "8000", w, req, sourceAt(t, "UDP", "192.0.2.7:5000"))
		require.Nil(t, refused)
		bindAgent(t, r, "8000", "UDP", "192.0.2.7:5000", 4)
		require.True(t, gate.Held())
		close(slow)
		synctest.Wait()
		require.Equal(t, []string{"8000 true", "8001 true", "8000 false", "8000 true"}, told)
		bindAgent(t, r, "8000", "UDP", "192.0.2.7:5000", 5)
		synctest.Wait()
		require.Len(t, told, 4, "a refresh is no news")
	})
}

// TestPongAnew: a phone that was lost and answers a ping may have been at another node meanwhile: its gate is held, and its
// flow began only now.
func TestPongAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		away := errors.New("no way to the phone")
		var lost atomic.Bool
		r := gatedRegistrar(&told, nil, func(context.Context, flow) error {
			if lost.Load() {
				return away
			}
			return nil
		})
		runRegistrar(t, r)
		began := time.Now()
		bindAgent(t, r, "8000", "UDP", "192.0.2.7:5000", 1)
		gate := r.gates.byAgent["8000"]
		gate.Seed(call.GatePast{Agent: "8000"})
		time.Sleep(16 * time.Second)
		require.False(t, gate.Held())
		lost.Store(true)
		time.Sleep(16 * time.Second)
		lost.Store(false)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"8000 true", "8000 false", "8000 true"}, told)
		require.True(t, gate.Held())
		r.mu.Lock()
		defer r.mu.Unlock()
		require.Greater(t, r.bindings.byAgent["8000"][0].since.Sub(began), 30*time.Second)
	})
}

// TestRingAnewGate: an INVITE tried anew that the gate stops is nobody's refusal: the agent does not rest for it.
func TestRingAnewGate(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", nil)
	c := s.claim()
	c.Via = ""
	out := s.rings(t.Context(), s.edge, c, nil)
	inv := s.phone.expect("INVITE", "INVITE")
	s.edge.Hold("8001")
	s.phone.respond(inv, 422, "Session Interval Too Small", "a1", "", "Min-SE: 4000")
	s.phone.expect("ACK", "ACK")
	var e *call.RingError
	require.ErrorAs(t, next(t, out).err, &e)
	require.Equal(t, call.CauseTaken, e.Why)
	require.Equal(t, c.Token, e.Above)
	s.free(t)
}
