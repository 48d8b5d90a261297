package sip

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestGateThroughEdge: each verdict, and what the owner makes of it.
func TestGateThroughEdge(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", nil)
	early := s.claim()
	_, leg := s.talks(t)
	e := s.refused(t, s.owner, s.claim())
	require.Equal(t, call.CauseTaken, e.Why, "a leg lives")
	require.Equal(t, call.Token{Epoch: 1, N: 3}, e.Above)
	require.False(t, e.Unsure)
	e = s.refused(t, s.owner, early)
	require.Equal(t, call.CauseTaken, e.Why, "an earlier token")
	require.Equal(t, call.Token{Epoch: 1, N: 3}, e.Above)
	leg.Hangup(call.CauseBye)
	s.phone.respond(s.phone.expect("BYE", "BYE"), 200, "OK", "", "")
	s.free(t)

	s.edge.Hold("8001")
	require.Equal(t, call.CauseTaken, s.refused(t, s.owner, s.claim()).Why, "held")
	s.edge.Seed(call.GatePast{Agent: "8001", Highest: call.Token{Epoch: 1, N: 40}})
	require.Equal(t, call.Token{Epoch: 1, N: 40}, s.refused(t, s.owner, s.claim()).Above)
	s.n = 50

	late := s.claim()
	late.Until = time.Now()
	e = s.refused(t, s.owner, late)
	require.Equal(t, call.CauseUnreachable, e.Why, "late before it left")
	require.False(t, e.Unsure)

	over := time.Now()
	s.lease.Store(&over)
	e = s.refused(t, s.owner, s.claim())
	require.Equal(t, call.CauseUnreachable, e.Why, "the edge has no lease")
	require.Equal(t, statusFlowFailed, e.Code)
	require.False(t, e.Unsure)
	far := time.Now().Add(time.Hour)
	s.lease.Store(&far)

	other := s.claim()
	other.Edge = "edge.2"
	require.Equal(t, statusFlowFailed, s.refused(t, s.owner, other).Code, "another run of the edge")

	past := s.edge.Yield("8001")
	require.Nil(t, past.Leg)
	require.Equal(t, "8001 false", next(t, s.edge.flows))
	require.Equal(t, statusFlowFailed, s.refused(t, s.owner, s.claim()).Code)
	require.Empty(t, s.edge.Flows())
	s.phone.silence(0, "INVITE")
	require.Equal(t, 2, int(testutil.ToFloat64(s.edge.metrics.gates.WithLabelValues("stale"))))
	require.Equal(t, 1, int(testutil.ToFloat64(s.edge.metrics.gates.WithLabelValues("busy"))))
}

// TestGateHere: the same for a phone that the owner is the edge of.
func TestGateHere(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, network string) {
		t.Helper()
		s := newSiteRig(t, network, nil)
		here := func() *call.RingClaim {
			c := s.claim()
			c.Via = ""
			return c
		}
		early := here()
		out := s.rings(t.Context(), s.edge, here(), nil)
		inv := s.phone.expect("INVITE", "INVITE")
		require.Equal(t, "180", inv.header("expires"))
		require.NotContains(t, strings.ToLower(inv.raw), nodeHeaders)
		require.Equal(t, call.CauseTaken, s.refused(t, s.edge, here()).Why)
		require.Equal(t, call.CauseTaken, s.refused(t, s.owner, s.claim()).Why, "from another node")
		require.Equal(t, call.Token{Epoch: 1, N: 4}, s.refused(t, s.edge, early).Above)
		s.phone.respond(inv, 180, "Ringing", "a", "")
		require.Eventually(t, func() bool { return !s.edge.Legs()[0].Rung.IsZero() }, testWait, time.Millisecond)
		s.phone.respond(inv, 200, "OK", "a", sdpGood)
		s.phone.expect("ACK", "ACK")
		leg := next(t, out).leg
		require.False(t, s.edge.Legs()[0].Answered.IsZero())
		_, ok := s.edge.Next("8001", call.Token{})
		require.False(t, ok)
		leg.Hangup(call.CauseBye)
		bye := s.phone.expect("BYE", "BYE")
		require.Len(t, s.edge.Legs(), 1)
		s.phone.respond(bye, 200, "OK", "", "")
		s.free(t)
		n, ok := s.edge.Next("8001", call.Token{})
		require.True(t, ok)
		require.Equal(t, call.Token{Epoch: 1, N: 5}, n)
		late := here()
		late.Until = time.Now()
		e := s.refused(t, s.edge, late)
		require.Equal(t, call.CauseUnreachable, e.Why)
		require.False(t, e.Unsure)
		s.free(t)
		ctx, cancel := context.WithCancel(t.Context())
		out = s.rings(ctx, s.edge, here(), nil)
		inv = s.phone.expect("INVITE", "INVITE")
		s.phone.respond(inv, 180, "Ringing", "a", "")
		require.Eventually(t, func() bool { return !s.edge.Legs()[0].Rung.IsZero() }, testWait, time.Millisecond)
		cancel()
		s.phone.respond(s.phone.expect("CANCEL", "CANCEL"), 200, "OK", "a", "")
		s.phone.respond(inv, 487, "Gone", "a", "")
		var ring *call.RingError
		require.ErrorAs(t, next(t, out).err, &ring)
		require.False(t, ring.Unsure)
		s.free(t)
		s.phone.silence(0, "INVITE")
	})
}
