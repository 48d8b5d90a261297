package sip

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// An INVITE that has left only just now is repeated though the call is taken back, however long ago one before it left: whoever
// it is rings already, it may be, and its response is lost.
func TestWithdrawnSoonAfterAnotherInvite(t *testing.T) {
	t.Parallel()
	const t1 = 20 * time.Millisecond
	r, first, p, _ := failoverRig(t, func(o *Options) {
		o.T1 = t1
		o.Trunks[1].Out = &TrunkOut{Network: "udp", Address: "placeholder.invalid:5060", From: "96777", Username: "hotline", Password: "hush"}
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	out := r.outside(ctx, "13912345678")
	first.respond(first.expect("INVITE", "INVITE"), 503, "Service Unavailable", "a", "")
	inv := p.expect("INVITE", "INVITE") // the last trunk may be silent for as long as it likes
	p.silence(2*silentWithin*t1, "INVITE")
	p.respond(inv, 407, "Who Are You", "a0", "", `Proxy-Authenticate: Digest realm="trunk", nonce="n1", qop="auth", algorithm=MD5`)
	p.expect("ACK", "ACK")
	inv = p.expect("INVITE", "INVITE")
	require.NotEmpty(t, inv.header("proxy-authorization"))
	cancel(call.CancelCause{Why: call.CauseNoAnswer})
	inv = p.expect("INVITE", "INVITE") // again
	p.respond(inv, 180, "Ringing", "a1", "")
	p.respond(p.expect("CANCEL", "CANCEL"), 200, "OK", "a1", "")
	p.respond(inv, 487, "Request Terminated", "a1", "")
	refusedFor(t, next(t, out), call.CauseNoAnswer)
}
