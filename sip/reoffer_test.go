package sip

import (
	"strconv"
	"strings"
	"testing"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

type outcome struct {
	held bool
	err  error
}

// acceptAside answers a re-INVITE in the background, as its owner does.
func acceptAside(re call.Reoffered) <-chan outcome {
	out := make(chan outcome, 1)
	go func() {
		held, err := re.Accept()
		out <- outcome{held, err}
	}()
	return out
}

// A CANCEL that comes while the owner is answering wins: nobody waits for anybody, and the session stays as
// it was (RFC 3261 section 14.1).
func TestReinviteCancelledWhileAnswered(t *testing.T) {
	t.Parallel()
	r, k, leg, commands := up(t, true)
	answering, goOn := make(chan struct{}), make(chan struct{})
	r.engine.opened()[0].proposing = func() { close(answering); <-goOn }
	moved := newPeer(t, "udp", r.udp())
	k.seq++
	k.branch = newBranch()
	k.p.write(strings.Replace(k.message("INVITE", k.seq, k.branch, sdpHold, sdpHeader),
		"Contact: <sip:caller@"+k.p.addr(), "Contact: <sip:caller@"+moved.addr(), 1))
	out := acceptAside(next(t, commands).(call.Reoffered))
	<-answering
	k.p.write(k.message("CANCEL", k.seq, k.branch, ""))
	k.p.status("CANCEL", 200)
	k.p.status("INVITE", 487)
	k.p.write(k.message("ACK", k.seq, k.branch, ""))
	close(goOn)
	got := next(t, out)
	require.ErrorIs(t, got.err, errFinal)
	require.False(t, got.held)
	require.NoError(t, leg.Context().Err())
	leg.Hangup(call.CauseBye)
	k.p.respond(k.p.expect("BYE", "BYE"), 200, "OK", "", "") // not to where the Contact has moved
}

// In the instant of the answer: the wire, the owner and the stream agree on who was first.
func TestReinviteCancelCrossesAnswer(t *testing.T) {
	t.Parallel()
	r, k, _, commands := up(t, true)
	stream := r.engine.opened()[0]
	for range 200 {
		was := stream.Held()
		sdp := sdpHold
		if was {
			sdp = sdpGood
		}
		k.seq++
		k.branch = newBranch()
		k.p.write(k.message("INVITE", k.seq, k.branch, sdp, sdpHeader))
		out := acceptAside(next(t, commands).(call.Reoffered))
		k.p.write(k.message("CANCEL", k.seq, k.branch, ""))
		w := k.p.expect("SIP/2.0", "INVITE")
		for strings.HasPrefix(w.start, "SIP/2.0 1") || cseq(w) != strconv.Itoa(k.seq) { // a 200 before may be resent
			w = k.p.expect("SIP/2.0", "INVITE")
		}
		k.ack(w, "")
		got := next(t, out)
		answered := strings.HasPrefix(w.start, "SIP/2.0 200")
		require.Equal(t, answered, got.err == nil, w.start)
		require.Equal(t, was != answered, stream.Held())
		require.Equal(t, stream.Held(), got.held)
	}
	k.bye()
}

// A 200 that cannot be sent has changed nothing.
func TestReinviteAnswerNotSent(t *testing.T) {
	t.Parallel()
	r, k, leg, commands := up(t, true)
	stream := r.engine.opened()[0]
	stream.answer = strings.Repeat("a=x\r\n", maxUDPMessage)
	k.request("INVITE", sdpHold, sdpHeader)
	got := next(t, acceptAside(next(t, commands).(call.Reoffered)))
	require.ErrorIs(t, got.err, sipmsg.ErrUDPMTUCongestion)
	require.False(t, got.held)
	require.False(t, stream.Held())
	require.NoError(t, leg.Context().Err())
	k.bye()
}
