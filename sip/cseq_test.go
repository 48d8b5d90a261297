package sip

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// The CSeq of each request of the far end's (RFC 3261 section 12.2.2): lower is 500, equal is a repetition whose
// transaction is gone, and gaps are nothing.
func TestCSeqOrder(t *testing.T) {
	t.Parallel()
	r, k, l, commands := upWith(t, nil)
	stream := r.engine.opened()[0]
	const relay = "Content-Type: application/dtmf-relay"
	at := func(method string, seq int, body string, extra ...string) {
		k.p.write(k.message(method, seq, newBranch(), body, extra...))
	}
	at("INFO", 100, "Signal=1", relay)
	k.p.status("INFO", 200)
	next(t, stream.keys)
	next(t, commands)
	at("INFO", 100, "Signal=1", relay)
	k.p.status("INFO", 500)
	at("INFO", 99, "Signal=2", relay)
	k.p.status("INFO", 500)
	at("UPDATE", 100, "")
	k.p.status("UPDATE", 500)
	k.seq = 99
	k.request("INVITE", sdpHold, sdpHeader)
	k.ack(k.p.status("INVITE", 500), "")
	require.Empty(t, stream.keys, "no key is pressed twice")
	require.Empty(t, commands)

	// Our own numbers are a space of their own, and so are ours of theirs.
	for want := 1; want <= 2; want++ {
		r.ask(l)
		req := k.p.expect("INVITE", "INVITE")
		require.Equal(t, want, req.seq(t))
		k.p.respond(req, 200, "OK", "", sdpGood)
		k.p.expect("ACK", "ACK")
		proved(t, l)
	}
	at("INFO", 101, "Signal=3", relay)
	k.p.status("INFO", 200)
	at("BYE", 101, "") // what ends anyway is not refused for its number
	k.p.status("BYE", 200)
	require.Equal(t, call.CauseBye, ended(t, l).Why)
}

// A re-INVITE may come before the ACK of the INVITE, and again: it is one, and each 200 has its own ACK.
func TestReinviteTwiceBeforeAck(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 1)
	r := newRig(t, func(o *Options) { o.OnIncoming = untilOver(legs) })
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.invite()
	first := k.p.status("INVITE", 200)
	l, ok := next(t, legs).(*leg)
	require.True(t, ok)
	commands := make(chan call.Command, 4)
	l.Attach(func(c call.Command) bool { commands <- c; return true })
	k.toTag = first.tag("to")
	k.seq++
	branch := newBranch()
	k.p.write(k.message("INVITE", 2, branch, sdpHold, sdpHeader))
	re, ok := next(t, commands).(call.Reoffered)
	require.True(t, ok)
	k.p.write(k.message("INVITE", 2, branch, sdpHold, sdpHeader)) // retransmitted
	_, err := re.Accept()
	require.NoError(t, err)
	k.finalOf("INVITE", 2)
	k.p.write(k.message("INVITE", 2, branch, sdpHold, sdpHeader))
	require.Equal(t, 200, k.finalOf("INVITE", 2).code(t), "the 200 again")
	k.p.write(k.message("ACK", 2, newBranch(), ""))
	k.p.write(k.message("ACK", 1, newBranch(), ""))
	l.acknowledged(t)
	require.Empty(t, commands, "one re-INVITE is one")
	alive(t, k.p, l)
}

// A re-INVITE's 200 that nobody acknowledges is resent, and after 64·T1 the leg ends with a BYE (RFC 3261 section
// 14.2, 13.3.1.4).
func TestReinviteUnacknowledged(t *testing.T) {
	t.Parallel()
	const t1 = 50 * time.Millisecond
	_, k, l, commands := upWith(t, func(o *Options) { o.T1 = t1 })
	began := time.Now()
	k.request("INVITE", sdpHold, sdpHeader)
	_, err := next(t, commands).(call.Reoffered).Accept()
	require.NoError(t, err)
	first := k.p.status("INVITE", 200)
	for range 3 {
		require.Equal(t, first.raw, k.p.status("INVITE", 200).raw)
	}
	bye := k.p.expect("BYE", "BYE")
	require.GreaterOrEqual(t, bye.at.Sub(began), 64*t1)
	k.p.respond(bye, 200, "OK", "", "")
	require.Equal(t, call.CauseNoAck, ended(t, l).Why)
}

// An ACK that owes the answer to our offer and has none, or one that cannot be used, ends the leg.
func TestReinviteWithoutAnswer(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{"none": "", "bad": sdpBad, "not acceptable": sdpNone} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, k, l, commands := upWith(t, nil)
			k.request("INVITE", "")
			_, err := next(t, commands).(call.Reoffered).Accept()
			require.NoError(t, err)
			k.ack(k.p.status("INVITE", 200), answer)
			k.p.respond(k.p.expect("BYE", "BYE"), 200, "OK", "", "")
			require.Equal(t, call.CauseError, ended(t, l).Why)
		})
	}
}

// seq is the number of a message's CSeq.
func (w wire) seq(t *testing.T) int {
	t.Helper()
	return int(deltaSeconds(w.header("cseq")[:len(w.header("cseq"))-len(w.method())-1]) / time.Second)
}
