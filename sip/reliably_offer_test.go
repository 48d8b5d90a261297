package sip

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// An INVITE without an offer: the first reliable 18x has ours, its PRACK the answer, and the 200, which waits for
// that, has none (RFC 3262 section 5). A PRACK later may bear a new offer.
func TestDelayedOfferInReliableRinging(t *testing.T) {
	t.Parallel()
	c := incomingCall(t, time.Second, "", require100rel)
	commands := make(chan call.Command, 1)
	c.leg.Attach(func(cmd call.Command) bool { commands <- cmd; return true })
	first := c.rung()
	require.Equal(t, sdpOurs, first.body)
	answered := make(chan error, 1)
	go func() { _, err := c.leg.Answer(); answered <- err }()
	c.p.silence(100*time.Millisecond, "SIP/2.0 200")
	c.prack(first, sdpHold)
	require.Empty(t, c.p.status("PRACK", 200).body)
	ok := c.p.status("INVITE", 200)
	require.Empty(t, ok.body)
	require.NoError(t, next(t, answered))
	stream := c.engine.opened()[0]
	require.Equal(t, sdpHold, stream.answerTaken())
	require.Equal(t, call.MediaChanged{Leg: c.leg.ID(), Held: true}, func() call.Command {
		m, _ := next(t, commands).(call.MediaChanged)
		m.At = time.Time{}
		return m
	}())
	c.acknowledge(ok)
	c.over()
}

// An offer in a PRACK, once the session is described, is answered in its 200 (RFC 3262 section 5).
func TestOfferInPrack(t *testing.T) {
	t.Parallel()
	c := incomingCall(t, time.Second, "", require100rel)
	c.prack(c.rung(), sdpGood)
	c.p.status("PRACK", 200)
	second := c.rung()
	require.Empty(t, second.body, "the offer was the first's")
	c.prack(second, sdpHold)
	require.Equal(t, sdpOurs, c.p.status("PRACK", 200).body)
	stream := c.engine.opened()[0]
	require.Eventually(t, stream.Held, testWait, time.Millisecond, "when it was answered")
	for sdp, code := range map[string]int{sdpNone: 488, sdpBad: 400} {
		w := c.rung()
		c.prack(w, sdp)
		c.p.status("PRACK", code)
		require.True(t, stream.Held(), "the session stays")
		c.prack(w, "")
		c.p.status("PRACK", 481) // the 18x was acknowledged
	}
	_, err := c.leg.Answer()
	require.NoError(t, err)
	w := c.p.status("INVITE", 200)
	require.Empty(t, w.body)
	c.acknowledge(w)
	c.over()
}

// An answer that cannot be used, or is missing, ends the call; the 200 is never sent.
func TestAnswerInPrackUnusable(t *testing.T) {
	t.Parallel()
	for name, sdp := range map[string]string{"unacceptable": sdpNone, "missing": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := incomingCall(t, time.Second, "", require100rel)
			w := c.rung()
			answered := make(chan error, 1)
			go func() { _, err := c.leg.Answer(); answered <- err }()
			c.prack(w, sdp)
			c.p.status("PRACK", 200)
			c.acknowledge(c.p.status("INVITE", 500))
			var end *call.LegEnd
			require.ErrorAs(t, next(t, answered), &end)
			require.Equal(t, call.CauseError, end.Why)
		})
	}
}

// Answer does not wait for a PRACK longer than the leg lives.
func TestAnswerWaitingForPrackEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(c *ringingCall){
		"no PRACK":  func(c *ringingCall) { c.acknowledge(c.p.status("INVITE", 504)) },
		"cancelled": func(c *ringingCall) { c.cancel(); c.acknowledge(c.p.status("INVITE", 487)) },
		"closed": func(c *ringingCall) {
			require.NoError(c.p.t, c.Close())
			c.acknowledge(c.p.status("INVITE", 503))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := incomingCall(t, 50*time.Millisecond, "", require100rel)
			c.rung()
			answered := make(chan error, 1)
			go func() { _, err := c.leg.Answer(); answered <- err }()
			end(c)
			err := next(t, answered)
			if name == "closed" && errors.Is(err, ErrClosed) {
				return // it looked between the closing and the leg's end
			}
			var e *call.LegEnd
			require.ErrorAs(t, err, &e)
		})
	}
}
