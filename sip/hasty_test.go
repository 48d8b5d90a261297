package sip

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// An agent's phone that hangs up the moment it has answered: whether its BYE is right behind our ACK, or is
// handled before its own 200, the leg ends.
func TestByeRightBehindAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]func(p *peer, inv wire){
		"after the ACK": func(p *peer, inv wire) {
			p.respond(inv, 200, "OK", "a1", sdpGood)
			p.expect("ACK", "ACK")
			p.byeAs(inv, "a1")
			p.status("BYE", 200)
		},
		"with the 200": func(p *peer, inv wire) {
			p.respond(inv, 200, "OK", "a1", sdpGood)
			p.byeAs(inv, "a1")
			p.status("BYE", 200)
		},
		"before the 200": func(p *peer, inv wire) {
			p.byeAs(inv, "a1")
			p.status("BYE", 200)
			p.respond(inv, 200, "OK", "a1", sdpGood)
			p.expect("ACK", "ACK")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, p := registeredPhone(t, rigT1)
			for range 50 {
				before := time.Now()
				out := r.ring(t.Context(), nil)
				c(p, p.expect("INVITE", "INVITE"))
				got := next(t, out)
				require.NoError(t, got.err)
				e := ended(t, got.leg)
				require.Equal(t, call.Far, e.By)
				require.Equal(t, call.CauseBye, e.Why)
				require.WithinRange(t, e.At, before, time.Now())
			}
		})
	}
}

// A BYE of another phone behind a fork ends that phone's dialog only, and one for nothing ends nothing.
func TestEarlyByeOfAnother(t *testing.T) {
	t.Parallel()
	_, p, inv, out := ringPhone(t, rigT1)
	p.byeAs(inv, "b2")
	p.status("BYE", 200)
	p.respond(inv, 200, "OK", "a1", sdpGood)
	p.expect("ACK", "ACK")
	got := next(t, out)
	require.NoError(t, got.err)
	require.NoError(t, got.leg.Context().Err())
	p.byeAs(inv, "b2")
	p.status("BYE", 481)
	p.byeAs(inv, "a1")
	p.status("BYE", 200)
	require.Equal(t, call.CauseBye, ended(t, got.leg).Why)
}

// A 180 with the 200 right behind it is told of, before the leg is handed over, and with its own instant.
func TestProgressRightBeforeAnswer(t *testing.T) {
	t.Parallel()
	r, p := registeredPhone(t, rigT1)
	for range 50 {
		rings := make(chan time.Time, 2)
		out := r.ring(t.Context(), func(code int, at time.Time) {
			if code == 180 {
				rings <- at
			}
		})
		inv := p.expect("INVITE", "INVITE")
		p.respond(inv, 180, "Ringing", "a1", "")
		p.respond(inv, 200, "OK", "a1", sdpGood)
		p.expect("ACK", "ACK")
		got := next(t, out)
		require.NoError(t, got.err)
		require.Len(t, rings, 1)
		answered, err := got.leg.Answer()
		require.NoError(t, err)
		require.True(t, (<-rings).Before(answered))
		got.leg.Hangup(call.CauseBye)
		p.respond(p.expect("BYE", "BYE"), 200, "OK", "", "")
	}
}
