package sip

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/media"
)

// up makes a call that is up: the peer's dialog, and our leg whose commands go to the channel.
func up(t *testing.T, attach bool) (*rig, *talk, call.Leg, chan call.Command) {
	t.Helper()
	legs := make(chan call.Leg, 4)
	commands := make(chan call.Command, 16)
	r := newRig(t, func(o *Options) { o.OnIncoming = untilOver(legs) })
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.answered()
	leg := next(t, legs)
	if attach {
		leg.Attach(func(c call.Command) bool {
			select {
			case commands <- c:
				return true
			default:
				return false
			}
		})
	}
	k.request("INFO", "") // answered after the ACK was taken
	k.p.status("INFO", 200)
	return r, k, leg, commands
}

func (k *talk) bye() {
	k.p.t.Helper()
	k.request("BYE", "")
	k.p.status("BYE", 200)
}

func TestReinviteHoldAndResume(t *testing.T) {
	t.Parallel()
	_, k, leg, commands := up(t, true)
	for _, c := range []struct {
		sdp  string
		held bool
	}{{sdpHold, true}, {sdpGood, false}} {
		k.request("INVITE", c.sdp, sdpHeader)
		re, ok := next(t, commands).(call.Reoffered)
		require.True(t, ok)
		require.Equal(t, leg.ID(), re.Leg)
		held, err := re.Accept()
		require.NoError(t, err)
		require.Equal(t, c.held, held)
		w := k.p.status("INVITE", 200)
		require.Equal(t, sdpOurs, w.body)
		k.ack(w, "")
		_, err = re.Accept()
		require.ErrorIs(t, err, errSettled)
		k.request("INFO", "")
		k.p.status("INFO", 200)
	}
	k.bye()
}

func TestReinviteWithoutOffer(t *testing.T) {
	t.Parallel()
	r, k, leg, commands := up(t, true)
	k.request("INVITE", "")
	_, err := next(t, commands).(call.Reoffered).Accept()
	require.NoError(t, err)
	w := k.p.status("INVITE", 200)
	require.Equal(t, sdpOurs, w.body)
	before := time.Now()
	k.ack(w, sdpHold)
	changed, ok := next(t, commands).(call.MediaChanged)
	require.True(t, ok)
	require.Equal(t, leg.ID(), changed.Leg)
	require.True(t, changed.Held)
	require.WithinRange(t, changed.At, before, time.Now())
	require.True(t, r.engine.opened()[0].Held())
	k.bye()
}

func TestReinviteRefused(t *testing.T) {
	t.Parallel()
	t.Run("nobody attached", func(t *testing.T) {
		t.Parallel()
		_, k, _, _ := up(t, false)
		k.request("INVITE", sdpHold, sdpHeader)
		w := k.p.status("INVITE", 500)
		k.ack(w, "")
		after, err := strconv.Atoi(w.header("retry-after"))
		require.NoError(t, err)
		require.LessOrEqual(t, after, 10)
		k.bye()
	})
	t.Run("by the owner", func(t *testing.T) {
		t.Parallel()
		_, k, _, commands := up(t, true)
		k.request("INVITE", sdpHold, sdpHeader)
		next(t, commands).(call.Reoffered).Refuse(call.CauseDeclined)
		k.ack(k.p.status("INVITE", 603), "")
		k.bye()
	})
	t.Run("nothing acceptable", func(t *testing.T) {
		t.Parallel()
		_, k, leg, commands := up(t, true)
		k.request("INVITE", sdpNone, sdpHeader)
		_, err := next(t, commands).(call.Reoffered).Accept()
		require.ErrorIs(t, err, media.ErrNotAcceptable)
		k.ack(k.p.status("INVITE", 488), "")
		require.NoError(t, leg.Context().Err(), "the session stays")
		k.bye()
	})
	t.Run("while one is pending, and withdrawn", func(t *testing.T) {
		t.Parallel()
		_, k, _, commands := up(t, true)
		k.request("INVITE", sdpHold, sdpHeader)
		first, branch, seq := next(t, commands).(call.Reoffered), k.branch, k.seq
		k.request("INVITE", sdpHold, sdpHeader)
		k.ack(k.p.status("INVITE", 500), "")
		tag := k.toTag
		k.p.write(k.message("CANCEL", seq, branch, ""))
		k.p.status("CANCEL", 200)
		w := k.p.status("INVITE", 487)
		require.Equal(t, tag, w.tag("to"))
		k.p.write(k.message("ACK", seq, branch, ""))
		_, err := first.Accept()
		require.ErrorIs(t, err, errSettled)
		k.bye()
	})
	t.Run("leg ends under it", func(t *testing.T) {
		t.Parallel()
		_, k, _, commands := up(t, true)
		k.request("INVITE", sdpHold, sdpHeader)
		next(t, commands)
		branch, seq := k.branch, k.seq
		k.request("BYE", "")
		for range 2 { // the BYE's 200 and the INVITE's 487, in either order
			w := k.p.expect("SIP/2.0", "BYE")
			if w.start == "SIP/2.0 200 OK" {
				break
			}
		}
		k.p.write(k.message("ACK", seq, branch, ""))
	})
}

// A re-INVITE's Contact is where our BYE goes (RFC 3261 section 12.2.2).
func TestReinviteRefreshesTarget(t *testing.T) {
	t.Parallel()
	_, k, leg, commands := up(t, true)
	moved := newPeer(t, "udp", k.p.to)
	k.seq++
	k.branch = newBranch()
	msg := k.message("INVITE", k.seq, k.branch, sdpGood, sdpHeader)
	w := parseWire(msg, time.Now())
	msg = replaceOnce(t, msg, "Contact: "+w.header("contact"), "Contact: <sip:elsewhere@"+moved.addr()+">")
	k.p.write(msg)
	_, err := next(t, commands).(call.Reoffered).Accept()
	require.NoError(t, err)
	k.ack(k.p.status("INVITE", 200), "")
	k.request("INFO", "")
	k.p.status("INFO", 200)
	leg.Hangup(call.CauseBye)
	bye := moved.expect("BYE sip:elsewhere@", "BYE")
	moved.respond(bye, 200, "OK", "", "")
}

func TestInfoKeys(t *testing.T) {
	t.Parallel()
	r, k, _, commands := up(t, true)
	for _, c := range []struct {
		kind, body string
		key        media.Key
		code       int
	}{
		{"application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", '5', 200},
		{"application/dtmf-relay", "Signal= *\r\nDuration=160", '*', 200},
		{"application/dtmf-relay", "signal=11", '#', 200},
		{"application/dtmf", "d", 'D', 200},
		{"application/dtmf", "xx", 0, 400},
		{"application/dtmf-relay", "Duration=160", 0, 400},
		{"text/plain", "5", 0, 415},
	} {
		k.request("INFO", c.body, "Content-Type: "+c.kind)
		k.p.status("INFO", c.code)
		if c.code != 200 {
			continue
		}
		require.Equal(t, c.key, next(t, r.engine.opened()[0].keys))
		require.Equal(t, c.key, next(t, commands).(call.KeyPressed).Key)
	}
	k.bye()
}

func TestOutOfOrderAndUnknownDialogs(t *testing.T) {
	t.Parallel()
	_, k, _, _ := up(t, true)
	for _, method := range []string{"INFO", "OPTIONS"} {
		k.p.write(k.message(method, 1, newBranch(), ""))
		k.p.status(method, 500)
		k.request(method, "")
		k.p.status(method, 200)
	}
	tag := k.toTag
	k.toTag = "nobody"
	for _, method := range []string{"BYE", "INFO", "OPTIONS", "INVITE"} {
		k.request(method, "")
		w := k.p.status(method, 481)
		if method == "INVITE" {
			k.ack(w, "")
		}
	}
	k.p.write(k.message("ACK", 99, newBranch(), "")) // ignored
	k.p.write(k.message("CANCEL", 99, newBranch(), ""))
	k.p.status("CANCEL", 481)
	k.toTag = tag
	k.bye()
}

// The route set of an INVITE is what our BYE bears, in order, and a strict router gets the Request-URI.
func TestRouteSet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, rr, start, route string }{
		{"loose", "<sip:%s;lr>", "BYE sip:caller@", "<sip:%s;lr>"},
		{"strict", "<sip:%s>", "BYE sip:%s", "<sip:caller@"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			legs := make(chan call.Leg, 4)
			r := newRig(t, func(o *Options) { o.OnIncoming = untilOver(legs) })
			k := newPeer(t, "udp", r.udp()).dialog(testNumber)
			proxy := newPeer(t, "udp", r.udp())
			k.invite("Record-Route: " + replaceOnce(t, c.rr, "%s", proxy.addr()))
			w := k.p.status("INVITE", 200)
			require.NotEmpty(t, w.header("record-route"))
			k.ack(w, "")
			k.request("INFO", "")
			k.p.status("INFO", 200)
			next(t, legs).Hangup(call.CauseBye)
			start := c.start
			if c.name == "strict" {
				start = replaceOnce(t, start, "%s", proxy.addr())
			}
			bye := proxy.expect(start, "BYE")
			want := c.route
			if c.name == "loose" {
				want = replaceOnce(t, want, "%s", proxy.addr())
			}
			require.Contains(t, bye.header("route"), want)
			proxy.respond(bye, 200, "OK", "", "")
		})
	}
}

// A BYE that was lost and overtaken is refused 500, and the far end talks on: it is sent anew, a few times.
func TestByeOvertaken(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 1)
	r := newRig(t, func(o *Options) { o.OnIncoming = untilOver(legs) })
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.answered()
	next(t, legs).Hangup(call.CauseBye)
	last := ""
	for range 1 + 3 {
		bye := k.p.expect("BYE", "BYE")
		require.NotEqual(t, last, bye.header("cseq"))
		last = bye.header("cseq")
		k.p.respond(bye, 500, "Server Internal Error", "", "")
	}
	require.Eventually(t, func() bool { return len(r.legs.all()) == 0 }, testWait, time.Millisecond, "the last BYE was said")
	k.p.silence(100*time.Millisecond, "BYE")
}
