package sip

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/media"
)

// What the engine finds out about a leg's audio is told to the leg's owner, in order.
func TestFactsReachTheOwner(t *testing.T) {
	t.Parallel()
	r, k, l, commands := upWith(t, nil)
	told := r.engine.opened()[0].o.OnFact
	for _, f := range []media.Fact{media.FactSilent, media.FactHeard, media.FactOneWay, media.FactSilent} {
		told(f)
		got, ok := next(t, commands).(call.AudioFact)
		require.True(t, ok)
		require.Equal(t, call.AudioFact{Leg: l.id, Fact: f, At: got.At}, got)
		require.False(t, got.At.IsZero())
	}
	require.Empty(t, commands)
	k.bye()
	ended(t, l)
	r.quiet(t)
	told(media.FactSilent) // late: there is no such leg any more
	require.Empty(t, commands)
}

// A phone that is rung has a stream and no leg: what is found out about that concerns nobody.
func TestFactBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	r, p := registeredPhone(t, rigT1)
	inv, out := p.rungBy(r)
	r.engine.opened()[0].o.OnFact(media.FactOneWay)
	p.respond(inv, 200, "OK", "a1", sdpGood)
	p.expect("ACK", "ACK")
	got := next(t, out)
	require.NoError(t, got.err)
	commands := make(chan call.Command, 1)
	got.leg.Attach(func(c call.Command) bool { commands <- c; return true })
	require.Empty(t, commands)
	l, ok := got.leg.(*leg)
	require.True(t, ok)
	alive(t, p, l)
}

// One-way audio is told once for an agreement: without an owner it waits for one, unless it is over by then. Silence is
// told again anyway.
func TestOneWayWaitsForAnOwner(t *testing.T) {
	t.Parallel()
	for i, c := range []struct {
		facts []media.Fact
		waits bool
	}{
		{[]media.Fact{media.FactOneWay}, true},
		{[]media.Fact{media.FactOneWay, media.FactSilent}, true},
		{[]media.Fact{media.FactOneWay, media.FactHeard}, false},
		{[]media.Fact{media.FactSilent}, false},
	} {
		for _, full := range []bool{false, true} {
			t.Run(fmt.Sprint(i, full), func(t *testing.T) {
				t.Parallel()
				r, k, l, _ := upWith(t, nil)
				l.Attach(nil)
				if full {
					l.Attach(func(call.Command) bool { return false })
				}
				for _, f := range c.facts {
					r.engine.opened()[0].o.OnFact(f)
				}
				commands := make(chan call.Command, 2)
				for range 2 { // to the first who takes it, and to no other
					l.Attach(func(c call.Command) bool { commands <- c; return true })
				}
				if c.waits {
					got, ok := next(t, commands).(call.AudioFact)
					require.True(t, ok)
					require.Equal(t, media.FactOneWay, got.Fact)
				}
				require.Empty(t, commands)
				k.bye()
			})
		}
	}
}

// What the answer to each question says of a far end that is not heard (RFC 3261 section 12.2.1.2, RFC 5057 section 5.1):
// asked by a refresh, or by a fresh offer.
func TestUnheardIsAsked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method string
		extra  []string
		ask    func(l *leg)
		fresh  int32
	}{
		"ask by UPDATE":     {"UPDATE", []string{allowsUpdate}, (*leg).Ask, 0},
		"ask by re-INVITE":  {"INVITE", nil, (*leg).Ask, 0},
		"mend":              {"INVITE", nil, (*leg).Mend, 1},
		"mend, not UPDATE ": {"INVITE", []string{allowsUpdate}, (*leg).Mend, 1},
	} {
		for code, lives := range map[int]bool{200: true, 488: true, 500: true, 405: true, 408: false, 481: false} {
			t.Run(fmt.Sprint(name, " ", code), func(t *testing.T) {
				t.Parallel()
				r, k, l, commands := upWith(t, nil, c.extra...)
				stream := r.engine.opened()[0]
				before := stream.fresh.Load()
				c.ask(l)
				req := k.p.expect(c.method, c.method)
				require.Equal(t, before+c.fresh, stream.fresh.Load(), "fresh offers")
				body := ""
				if code == 200 && c.method == "INVITE" {
					body = sdpGood + "a=elsewhere\r\n"
				}
				k.p.respond(req, code, "Whatever", "", body)
				k.p.acked(c.method)
				if !lives {
					e := ended(t, l)
					require.Equal(t, call.CauseNoMedia, e.Why)
					require.Equal(t, call.Far, e.By)
					k.p.respond(k.p.expect("BYE", "BYE"), 200, "OK", "", "")
					return
				}
				proved(t, l)
				if body != "" {
					require.Equal(t, body, stream.answerTaken(), "audio goes by the new answer")
				}
				require.Empty(t, commands)
				alive(t, k.p, l)
			})
		}
	}
}

// Who answers nothing in 64·T1 is not there.
func TestUnheardIsNotThere(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(l *leg){"ask": (*leg).Ask, "mend": (*leg).Mend} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, k, l, _ := upWith(t, func(o *Options) { o.T1 = 20 * time.Millisecond })
			ask(l)
			k.p.expect("INVITE", "INVITE")
			require.Equal(t, call.CauseNoMedia, ended(t, l).Why)
			k.p.respond(k.p.expect("BYE", "BYE"), 200, "OK", "", "")
		})
	}
}

// Who is being asked is not asked besides, and a fresh offer waits for its turn, and for what the far end has under way: an
// offer of its own may agree on what goes one way as well.
func TestMendWaitsItsTurn(t *testing.T) {
	t.Parallel()
	t.Run("a refresh of ours", func(t *testing.T) {
		t.Parallel()
		_, k, l, _ := upWith(t, nil, allowsUpdate)
		l.Ask()
		req := k.p.expect("UPDATE", "UPDATE")
		l.prove(call.CauseNoMedia) // in the foreground: it asks nothing
		l.Mend()
		k.p.respond(req, 200, "OK", "", "")
		inv := k.p.expect("INVITE", "INVITE") // no second UPDATE before it
		k.p.respond(inv, 200, "OK", "", sdpGood)
		k.p.expect("ACK", "ACK")
		proved(t, l)
		alive(t, k.p, l)
	})
	t.Run("an offer of theirs", func(t *testing.T) {
		t.Parallel()
		_, k, l, commands := upWith(t, nil)
		k.request("INVITE", sdpGood, sdpHeader)
		re, ok := next(t, commands).(call.Reoffered)
		require.True(t, ok)
		seq := k.seq
		l.Mend()
		_, err := re.Accept()
		require.NoError(t, err)
		k.p.expect("SIP/2.0 200", "INVITE")
		k.p.write(k.message("ACK", seq, newBranch(), ""))
		k.p.respond(k.p.expect("INVITE sip:", "INVITE"), 200, "OK", "", sdpGood)
		k.p.expect("ACK", "ACK")
		proved(t, l)
		alive(t, k.p, l)
	})
	t.Run("491", func(t *testing.T) {
		t.Parallel()
		_, k, l, _ := upWith(t, nil)
		l.Mend()
		k.p.respond(k.p.expect("INVITE", "INVITE"), 491, "Request Pending", "", "")
		k.p.expect("ACK", "ACK")
		k.p.respond(k.p.expect("INVITE", "INVITE"), 200, "OK", "", sdpHold)
		k.p.expect("ACK", "ACK")
		proved(t, l)
		alive(t, k.p, l)
	})
	t.Run("a leg that ends meanwhile", func(t *testing.T) {
		t.Parallel()
		r, k, l, _ := upWith(t, nil, allowsUpdate)
		l.Ask()
		req := k.p.expect("UPDATE", "UPDATE")
		l.Mend()
		k.bye()
		require.Equal(t, call.CauseBye, ended(t, l).Why)
		k.p.respond(req, 481, "Late", "", "")
		r.quiet(t)
		k.p.silence(20*time.Millisecond, "INVITE")
	})
}

// A leg that has ended is asked nothing.
func TestEndedIsNotAsked(t *testing.T) {
	t.Parallel()
	_, k, l, _ := upWith(t, nil)
	k.bye()
	ended(t, l)
	l.prove(call.CauseNoMedia)
	l.mend()
	k.p.silence(20*time.Millisecond, "INVITE")
}
