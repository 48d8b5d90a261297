package sip

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// beat is a while in which what must not happen would have.
const beat = 100 * time.Millisecond

// A refresh that falls due while an offer of the far end's is being answered does not come between the answer and its
// taking up: what the 200 says holds.
func TestRefreshCrossesAnswer(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"INVITE", "UPDATE"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			r, k, l, commands := upWith(t, nil)
			stream := r.engine.opened()[0]
			stream.proposing = func() {
				was := stream.turn()
				r.ask(l)
				require.Eventually(t, func() bool { return len(l.turn) == 1 }, testWait, time.Millisecond)
				for until := time.Now().Add(beat); time.Now().Before(until) && stream.turn() == was; {
					time.Sleep(time.Millisecond)
				}
			}
			k.request(method, sdpHold, sdpHeader)
			held, err := next(t, commands).(call.Reoffered).Accept()
			require.NoError(t, err)
			w := k.finalOf(method, k.seq)
			require.Equal(t, 200, w.code(t))
			require.True(t, held, "the 200 to a hold was sent")
			require.True(t, stream.Held())
			if method == "INVITE" { // the ACK is to come: there is no refresh now
				proved(t, l)
				k.ack(w, "")
			} else { // it follows
				req := k.p.expect("INVITE", "INVITE")
				k.p.respond(req, 200, "OK", "", sdpHold)
				k.p.expect("ACK", "ACK")
			}
			proved(t, l)
			require.True(t, stream.Held())
			k.bye()
		})
	}
}

// crossed has an UPDATE that takes the call back arrive while the stream takes an answer that holds, and requires that
// the owner learns of them in the order in which they came.
func crossed(t *testing.T, r *rig, k *talk, commands chan call.Command, answer func()) {
	t.Helper()
	early := make(chan call.Command, 1)
	r.engine.opened()[0].accepting.Store(new(func() {
		k.request("UPDATE", sdpGood, sdpHeader)
		select {
		case c := <-commands:
			early <- c
		case <-time.After(beat):
		}
	}))
	answer()
	changed, ok := next(t, commands).(call.MediaChanged)
	require.True(t, ok)
	require.True(t, changed.Held)
	require.Empty(t, early, "an offer before the answer to ours was taken")
	held, err := next(t, commands).(call.Reoffered).Accept()
	require.NoError(t, err)
	require.False(t, held)
	k.finalOf("UPDATE", k.seq)
}

// An offer right behind the ACK that answers ours is looked at after it.
func TestOfferBehindAck(t *testing.T) {
	t.Parallel()
	r, k, l, commands := upWith(t, nil)
	k.request("INVITE", "")
	_, err := next(t, commands).(call.Reoffered).Accept()
	require.NoError(t, err)
	w := k.p.status("INVITE", 200)
	crossed(t, r, k, commands, func() { k.ack(w, sdpHold) })
	alive(t, k.p, l)
}

// An offer right behind the 200 to our re-INVITE is looked at after it.
func TestOfferBehindAnswer(t *testing.T) {
	t.Parallel()
	r, k, l, commands := upWith(t, nil)
	r.ask(l)
	req := k.p.expect("INVITE", "INVITE")
	crossed(t, r, k, commands, func() { k.p.respond(req, 200, "OK", "", sdpHold) })
	proved(t, l)
	alive(t, k.p, l)
}

// The refusal of a re-INVITE of ours is acknowledged each time that it comes, as that of an INVITE is.
func TestRefusedReinviteAcknowledgedAgain(t *testing.T) {
	t.Parallel()
	r, k, l, _ := upWith(t, nil)
	r.ask(l)
	req := k.p.expect("INVITE", "INVITE")
	for range 3 {
		k.p.respond(req, 488, "Not Acceptable Here", "", "")
		again := k.p.expect("ACK", "ACK")
		require.Equal(t, req.header("via"), again.header("via"))
	}
	proved(t, l)
	k.bye()
}

// A phone over UDP whose address changes while it is being asked is asked anew where it is now.
func TestPhoneMovesWhileAsked(t *testing.T) {
	t.Parallel()
	for method, extra := range refreshBy {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			r, p := registeredPhone(t, 50*time.Millisecond)
			_, l := p.answeredBy(r, extra...)
			r.ask(l)
			p.expect(method, method)
			moved := newPeer(t, "udp", r.udp())
			k := moved.dialog("8001")
			k.callID, k.seq = parseWire(p.lastRegister, time.Now()).header("call-id"), 10
			moved.enlist(k)
			body := ""
			if method == "INVITE" {
				body = sdpGood
			}
			moved.respond(moved.expect(method, method), 200, "OK", "", body)
			moved.acked(method)
			proved(t, l)
			alive(t, moved, l)
		})
	}
}

// An owner that drops an offer, since its call is over, has the far end try again: the leg may be another call's by then.
func TestOfferDropped(t *testing.T) {
	t.Parallel()
	_, k, l, commands := upWith(t, nil)
	for _, why := range []call.Cause{call.CauseShutdown, call.CauseError} {
		for _, method := range []string{"INVITE", "UPDATE"} {
			k.request(method, sdpHold, sdpHeader)
			next(t, commands).(call.Reoffered).Refuse(why)
			w := k.p.status(method, 500)
			later(t, w)
			if method == "INVITE" {
				k.ack(w, "")
			}
		}
	}
	alive(t, k.p, l)
}
