package sip

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// Only the phones beside the one that answered are told that the call was completed elsewhere (RFC 3326 section 3.1): a
// phone that is told so may not show it as missed, and of a call that nobody took that would be a lie.
func TestReasonOfACancel(t *testing.T) {
	t.Parallel()
	for why, want := range map[call.Cause]string{
		call.CauseElsewhere:   completedElsewhere,
		call.CauseWithdrawn:   "",
		call.CauseNoAnswer:    "",
		call.CauseCancel:      "",
		call.CauseBye:         "",
		call.CauseUnreachable: "",
		call.CauseShutdown:    "",
		call.CauseError:       "",
	} {
		t.Run(string(why), func(t *testing.T) {
			t.Parallel()
			r, p := registeredPhone(t, rigT1)
			ctx, cancel := context.WithCancelCause(t.Context())
			p.cancelledAs(ctx, r, func() { cancel(call.CancelCause{Why: why}) }, want)
		})
	}
	t.Run("for nothing that is known", func(t *testing.T) {
		t.Parallel()
		r, p := registeredPhone(t, rigT1)
		ctx, cancel := context.WithCancel(t.Context())
		p.cancelledAs(ctx, r, cancel, "")
	})
	t.Run("rung to its limit", func(t *testing.T) {
		t.Parallel()
		r, p := registeredPhone(t, rigT1)
		limit := limited{t.Context(), make(chan struct{})}
		p.cancelledAs(limit, r, func() { close(limit.over) }, "")
	})
}

// limited is a context with a deadline that comes when the test says so.
type limited struct {
	context.Context
	over chan struct{}
}

func (l limited) Done() <-chan struct{} { return l.over }

func (l limited) Err() error {
	select {
	case <-l.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// cancelledAs has a phone rung, takes that back, and requires the Reason of the CANCEL.
func (p *peer) cancelledAs(ctx context.Context, r *rig, takeBack func(), reason string) {
	p.t.Helper()
	out := r.ring(ctx, nil)
	inv := p.expect("INVITE", "INVITE")
	p.respond(inv, 180, "Ringing", "a1", "")
	takeBack()
	c := p.expect("CANCEL", "CANCEL")
	require.Equal(p.t, reason, c.header("reason"))
	p.respond(c, 200, "OK", "a1", "")
	p.respond(inv, 487, "Request Terminated", "a1", "")
	p.expect("ACK", "ACK")
	require.Error(p.t, (<-out).err)
}
