package sip

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

const allowsUpdate = "Allow: INVITE, ACK, BYE, UPDATE"

// upWith is up with other options, and with lines added to the INVITE. Commands go to the channel.
func upWith(t *testing.T, change func(o *Options), extra ...string) (*rig, *talk, *leg, chan call.Command) {
	t.Helper()
	legs := make(chan call.Leg, 1)
	r := newRig(t, func(o *Options) {
		o.OnIncoming = untilOver(legs)
		if change != nil {
			change(o)
		}
	})
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.invite(extra...)
	k.ack(k.p.status("INVITE", 200), "")
	l, ok := next(t, legs).(*leg)
	require.True(t, ok)
	commands := make(chan call.Command, 16)
	l.Attach(func(c call.Command) bool { commands <- c; return true })
	l.acknowledged(t)
	return r, k, l, commands
}

// acknowledged waits until no 200 of ours waits for its ACK.
func (l *leg) acknowledged(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.acks) == 0
	}, testWait, time.Millisecond)
}

// answeredBy is a leg that we made: the phone, which is registered, answers with lines of its own.
func (p *peer) answeredBy(r *rig, extra ...string) (wire, *leg) {
	p.t.Helper()
	inv, out := p.rungBy(r)
	p.respond(inv, 200, "OK", "a1", sdpGood, extra...)
	p.expect("ACK", "ACK")
	got := next(p.t, out)
	require.NoError(p.t, got.err)
	l, ok := got.leg.(*leg)
	require.True(p.t, ok)
	return inv, l
}

// alive requires that a leg is up, and hangs it up.
func alive(t *testing.T, p *peer, l *leg) {
	t.Helper()
	require.NoError(t, l.Context().Err())
	l.Hangup(call.CauseBye)
	p.respond(p.expect("BYE", "BYE"), 200, "OK", "", "")
}

// proved waits until nobody asks the leg any more.
func proved(t *testing.T, l *leg) {
	t.Helper()
	require.Eventually(t, func() bool { return len(l.turn) == 0 }, testWait, time.Millisecond)
}

// requests of ours, and how they are acknowledged.
var refreshBy = map[string][]string{"UPDATE": {allowsUpdate}, "INVITE": nil}

func (p *peer) acked(method string) {
	p.t.Helper()
	if method == "INVITE" {
		p.expect("ACK", "ACK")
	}
}

// A refresh says what RFC 3311 and RFC 4028 section 7.4 want, and its 2xx moves the target.
func TestRefresh(t *testing.T) {
	t.Parallel()
	for method, extra := range refreshBy {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			r, k, l, commands := upWith(t, nil, extra...)
			r.ask(l)
			req := k.p.expect(method+" sip:caller@", method)
			l.prove(call.CauseSilent) // while it is being asked: nothing more
			require.Equal(t, "1800;refresher=uac", req.header("session-expires"))
			require.Contains(t, req.header("supported"), "timer")
			require.Contains(t, req.header("allow"), "UPDATE")
			require.NotEmpty(t, req.header("contact"))
			require.Equal(t, k.toTag, req.tag("from"))
			body := ""
			if method == "INVITE" {
				require.Equal(t, sdpOurs, req.body, "the description as it is (RFC 3264 section 8)")
				require.Equal(t, "application/sdp", req.header("content-type"))
				k.p.respond(req, 100, "Trying", "", "")
				k.p.respond(req, 183, "Session Progress", "", "")
				body = sdpGood
			} else {
				require.Empty(t, req.body)
			}
			moved := newPeer(t, "udp", r.udp())
			contact := fmt.Sprintf("<sip:8001@%s>", k.p.addr())
			raw := strings.NewReplacer(contact, fmt.Sprintf("<sip:moved@%s>", moved.addr()))
			k.p.write(raw.Replace(k.p.response(req, 200, "OK", "", body)))
			if method == "INVITE" {
				ack := moved.expect("ACK sip:moved@", "ACK")
				require.Equal(t, strings.Fields(req.header("cseq"))[0], strings.Fields(ack.header("cseq"))[0])
				for range 2 { // every repetition is acknowledged again, but for one that comes while the first ACK leaves
					var again wire
					require.Eventually(t, func() bool {
						k.p.write(raw.Replace(k.p.response(req, 200, "OK", "", body)))
						var err error
						again, err = moved.read(r.o.T1)
						return err == nil
					}, testWait, time.Millisecond)
					require.Equal(t, ack.raw, again.raw)
				}
			}
			proved(t, l)
			require.Empty(t, commands, "nothing changed")
			l.Hangup(call.CauseBye)
			bye := moved.expect("BYE sip:moved@", "BYE")
			moved.respond(bye, 200, "OK", "", "")
			k.p.silence(20*time.Millisecond, method)
		})
	}
}

// The answer to a re-INVITE of ours may say that the far end holds by now.
func TestRefreshLearnsOfHold(t *testing.T) {
	t.Parallel()
	r, k, l, commands := upWith(t, nil)
	for _, held := range []bool{true, false} {
		r.ask(l)
		req := k.p.expect("INVITE", "INVITE")
		body := sdpGood
		if held {
			body = sdpHold
		}
		k.p.respond(req, 200, "OK", "", body)
		k.p.expect("ACK", "ACK")
		changed, ok := next(t, commands).(call.MediaChanged)
		require.True(t, ok)
		require.Equal(t, call.MediaChanged{Leg: l.id, Held: held, At: changed.At}, changed)
		proved(t, l)
	}
	for _, body := range []string{"", sdpBad, sdpNone} { // what cannot be used changes nothing
		r.ask(l)
		k.p.respond(k.p.expect("INVITE", "INVITE"), 200, "OK", "", body)
		k.p.expect("ACK", "ACK")
		proved(t, l)
	}
	require.Empty(t, commands)
	k.bye()
}

// What each final status says of the far end (RFC 3261 section 12.2.1.2, RFC 5057 section 5.1).
func TestRefreshRefused(t *testing.T) {
	t.Parallel()
	for method, extra := range refreshBy {
		for code, lives := range map[int]bool{
			302: true, 400: true, 401: true, 403: true, 404: true, 405: true, 407: true, 408: false, 415: true,
			420: true, 422: true, 480: true, 481: false, 486: true, 487: true, 488: true, 500: true, 501: true,
			503: true, 600: true, 603: true,
		} {
			t.Run(fmt.Sprint(method, code), func(t *testing.T) {
				t.Parallel()
				r, k, l, _ := upWith(t, nil, extra...)
				r.ask(l)
				k.p.respond(k.p.expect(method, method), code, "Whatever", "", "")
				k.p.acked(method)
				if lives {
					proved(t, l)
					alive(t, k.p, l)
					return
				}
				e := ended(t, l)
				require.Equal(t, call.CauseSilent, e.Why)
				require.Equal(t, call.Far, e.By)
				k.p.respond(k.p.expect("BYE", "BYE"), 200, "OK", "", "")
			})
		}
	}
}

// A far end that does not know the method is asked by the other one next time.
func TestRefreshByTheOtherMethod(t *testing.T) {
	t.Parallel()
	r, k, l, _ := upWith(t, nil, allowsUpdate)
	for _, c := range []struct {
		method string
		code   int
	}{{"UPDATE", 405}, {"INVITE", 501}, {"UPDATE", 200}, {"UPDATE", 200}} {
		r.ask(l)
		k.p.respond(k.p.expect(c.method, c.method), c.code, "Whatever", "", "", allowsUpdate)
		k.p.acked(c.method)
		proved(t, l)
	}
	// Allow of any later message decides.
	k.request("INFO", "", "Allow: INVITE, ACK, BYE")
	k.p.status("INFO", 200)
	r.ask(l)
	k.p.respond(k.p.expect("INVITE", "INVITE"), 488, "Not Acceptable Here", "", "")
	proved(t, l)
	k.bye()
}

// A far end that answers nothing in 64·T1 has lost its leg (RFC 3261 section 12.2.1.2), and is sent a BYE all the
// same.
func TestRefreshUnanswered(t *testing.T) {
	t.Parallel()
	for method, extra := range refreshBy {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			const t1 = 50 * time.Millisecond
			r, k, l, _ := upWith(t, func(o *Options) { o.T1 = t1 }, extra...)
			asked := time.Now()
			r.ask(l)
			k.p.expect(method, method)
			e := ended(t, l)
			require.Equal(t, call.CauseSilent, e.Why)
			require.GreaterOrEqual(t, e.At.Sub(asked), 64*t1)
			k.p.respond(k.p.expect("BYE", "BYE"), 200, "OK", "", "")
		})
	}
}

// A re-INVITE that got a provisional response only is cancelled after 64·T1, and what it then gets decides.
func TestRefreshOnlyProvisional(t *testing.T) {
	t.Parallel()
	for _, lives := range []bool{true, false} {
		t.Run(fmt.Sprint(lives), func(t *testing.T) {
			t.Parallel()
			r, k, l, _ := upWith(t, func(o *Options) { o.T1 = 50 * time.Millisecond })
			r.ask(l)
			req := k.p.expect("INVITE", "INVITE")
			k.p.respond(req, 100, "Trying", "", "")
			cancel := k.p.expect("CANCEL", "CANCEL")
			require.Equal(t, req.header("via"), cancel.header("via"))
			k.p.respond(cancel, 200, "OK", "", "")
			if lives {
				k.p.respond(req, 487, "Request Terminated", "", "")
				k.p.expect("ACK", "ACK")
				proved(t, l)
				alive(t, k.p, l)
				return
			}
			require.Equal(t, call.CauseSilent, ended(t, l).Why)
			k.p.respond(k.p.expect("BYE", "BYE"), 200, "OK", "", "")
		})
	}
}

// 491 has us wait and ask again (RFC 3261 section 14.1): for less than 2 s where the far end made the Call-ID,
// for 2.1 to 4 s where we did.
func TestRefreshGlare(t *testing.T) {
	t.Parallel()
	again := func(t *testing.T, r *rig, p *peer, l *leg) time.Duration {
		t.Helper()
		r.ask(l)
		req := p.expect("INVITE", "INVITE")
		p.respond(req, 491, "Request Pending", "", "")
		p.expect("ACK", "ACK")
		second := p.expect("INVITE", "INVITE")
		p.respond(second, 200, "OK", "", sdpGood)
		p.expect("ACK", "ACK")
		proved(t, l)
		alive(t, p, l)
		return second.at.Sub(req.at)
	}
	t.Run("theirs", func(t *testing.T) {
		t.Parallel()
		r, k, l, _ := upWith(t, nil)
		again(t, r, k.p, l)
		for range 1000 {
			d := l.glareWait()
			require.True(t, d >= 0 && d <= 2*time.Second && d%(10*time.Millisecond) == 0, "%s", d)
		}
	})
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		r, p := registeredPhone(t, rigT1)
		_, l := p.answeredBy(r)
		require.GreaterOrEqual(t, again(t, r, p, l), 2100*time.Millisecond)
		for range 1000 {
			d := l.glareWait()
			require.True(t, d >= 2100*time.Millisecond && d <= 4*time.Second && d%(10*time.Millisecond) == 0, "%s", d)
		}
	})
}

// A BYE that crosses a re-INVITE of ours ends the leg; a late 200 is acknowledged, a refusal too, and that is all.
func TestByeAgainstOurReinvite(t *testing.T) {
	t.Parallel()
	for _, code := range []int{200, 487, 481} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			r, k, l, _ := upWith(t, nil)
			r.ask(l)
			req := k.p.expect("INVITE", "INVITE")
			k.bye()
			require.Equal(t, call.CauseBye, ended(t, l).Why)
			body := ""
			if code == 200 {
				body = sdpGood
			}
			k.p.respond(req, code, "Late", "", body)
			k.p.expect("ACK", "ACK")
			proved(t, l)
			k.p.silence(50*time.Millisecond, "BYE")
			r.quiet(t)
		})
	}
}

// We may hang up while our re-INVITE is under way.
func TestHangupDuringOurReinvite(t *testing.T) {
	t.Parallel()
	r, k, l, _ := upWith(t, nil)
	r.ask(l)
	req := k.p.expect("INVITE", "INVITE")
	l.Hangup(call.CauseBye)
	k.p.respond(k.p.expect("BYE", "BYE"), 200, "OK", "", "")
	k.p.respond(req, 487, "Request Terminated", "", "")
	k.p.expect("ACK", "ACK")
	r.quiet(t)
}
