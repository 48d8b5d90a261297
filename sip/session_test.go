package sip

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// What our 200 says to each wish: the table of RFC 4028 section 9, and its rules beside it.
func TestSessionTimerGranted(t *testing.T) {
	t.Parallel()
	const supports = "Supported: 100rel, timer"
	for _, c := range []struct {
		name    string
		wish    []string
		expires string // Session-Expires of the 200
		require string
	}{
		{"nothing said", nil, "", ""},
		{"supported only", []string{supports}, "1800;refresher=uas", "timer"},
		{"none asked to refresh", []string{supports, "Session-Expires: 600"}, "600;refresher=uas", "timer"},
		{"uac asked for", []string{supports, "Session-Expires: 600;refresher=uac"}, "600;refresher=uac", "timer"},
		{"uas asked for", []string{supports, "Session-Expires: 600 ; Refresher = UAS"}, "600;refresher=uas", "timer"},
		{"not supported, a proxy's", []string{"Session-Expires: 600"}, "600;refresher=uas", ""},
		{"not supported, uac", []string{"Session-Expires: 600;refresher=uac"}, "600;refresher=uas", ""},
		{"not supported, too short: raised (erratum 1687)", []string{"Session-Expires: 30"}, "90;refresher=uas", ""},
		{"too long is cut", []string{supports, "Session-Expires: 7200;refresher=uac"}, "1800;refresher=uac", "timer"},
		{"not below their least", []string{supports, "Session-Expires: 7200", "Min-SE: 3600"}, "3600;refresher=uas", "timer"},
		{"their least is more than ours", []string{supports, "Min-SE: 3600"}, "", ""},
		{"a least above the wish is none", []string{supports, "Session-Expires: 600", "Min-SE: 900"}, "600;refresher=uas", "timer"},
		{"short form", []string{"k: timer", "x: 600;refresher=uac"}, "600;refresher=uac", "timer"},
		{"no number is ignored", []string{supports, "Session-Expires: soon;refresher=uac"}, "1800;refresher=uas", "timer"},
		{"no party is ignored", []string{supports, "Session-Expires: 600;refresher=me"}, "600;refresher=uas", "timer"},
		{"more than fits", []string{supports, "Session-Expires: 99999999999"}, "1800;refresher=uas", "timer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(o *Options) { o.OnIncoming = untilOver(make(chan call.Leg, 1)) })
			k := newPeer(t, "udp", r.udp()).dialog(testNumber)
			check := func(w wire) {
				t.Helper()
				require.Equal(t, c.expires, w.header("session-expires"))
				require.Equal(t, c.require, w.header("require"))
				require.Contains(t, w.header("supported"), "timer")
			}
			k.invite(c.wish...)
			w := k.p.status("INVITE", 200)
			check(w)
			k.ack(w, "")
			k.request("UPDATE", "", c.wish...)
			check(k.p.status("UPDATE", 200))
			k.bye()
		})
	}
}

// An interval below ours is refused, where its sender knows what that means (RFC 4028 section 9).
func TestSessionTooShort(t *testing.T) {
	t.Parallel()
	r, k, l, commands := upWith(t, nil)
	wish := []string{"Supported: timer", "Session-Expires: 89"}
	for _, method := range []string{"INVITE", "UPDATE"} {
		k.request(method, sdpHold, append(wish, sdpHeader)...)
		w := k.p.status(method, 422)
		require.Equal(t, "90", w.header("min-se"))
		if method == "INVITE" {
			k.ack(w, "")
		}
	}
	require.Empty(t, commands)
	require.NoError(t, l.Context().Err(), "the session stays")
	k.bye()
	first := newPeer(t, "udp", r.udp()).dialog(testNumber)
	first.invite(wish...)
	w := first.p.status("INVITE", 422)
	require.Equal(t, "90", w.header("min-se"))
	require.True(t, strings.HasSuffix(w.start, "Session Interval Too Small"))
	first.ack(w, "")
}

// brisk has timers of seconds, which no configuration allows.
func brisk(o *Options) { o.SessionExpires, o.MinSE = 2*time.Second, time.Second }

// We refresh at half of the interval, whether the far end knows of timers or not, and again.
func TestWeRefresh(t *testing.T) {
	t.Parallel()
	for name, wish := range map[string][]string{
		"agreed":     {allowsUpdate, "Supported: timer", "Session-Expires: 2;refresher=uas"},
		"not agreed": {allowsUpdate},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			_, k, l, _ := upWith(t, brisk, wish...)
			for i := range 2 {
				req := k.p.expect("UPDATE", "UPDATE")
				require.Equal(t, "2;refresher=uac", req.header("session-expires"))
				require.GreaterOrEqual(t, req.at.Sub(began), time.Duration(i+1)*time.Second)
				k.p.respond(req, 200, "OK", "", "", "Session-Expires: 2;refresher=uac", "Require: timer")
			}
			alive(t, k.p, l)
		})
	}
}

// The far end refreshes: while it does the leg lives, by re-INVITE or UPDATE; when it does not, the leg ends, a
// third of the interval before the session does (RFC 4028 section 10).
func TestTheyRefresh(t *testing.T) {
	t.Parallel()
	const interval = 6 * time.Second
	wish := []string{"Supported: timer", "Session-Expires: 6;refresher=uac"}
	for _, method := range []string{"UPDATE", "INVITE"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			_, k, l, commands := upWith(t, func(o *Options) { o.SessionExpires, o.MinSE = interval, time.Second }, wish...)
			k.p.silence(time.Second, "UPDATE") // nor anything else of ours
			body := ""
			if method == "INVITE" {
				body = sdpGood
			}
			refreshed := time.Now()
			k.request(method, body, append(wish, sdpHeader)...)
			if method == "INVITE" {
				_, err := next(t, commands).(call.Reoffered).Accept()
				require.NoError(t, err)
			}
			w := k.p.status(method, 200)
			require.Equal(t, "6;refresher=uac", w.header("session-expires"))
			if method == "INVITE" {
				k.ack(w, "")
			}
			bye := k.p.expect("BYE", "BYE")
			require.GreaterOrEqual(t, bye.at.Sub(refreshed), interval-expiryMargin(interval))
			k.p.respond(bye, 200, "OK", "", "")
			e := ended(t, l)
			require.Equal(t, call.CauseExpired, e.Why)
			require.Equal(t, call.Far, e.By)
		})
	}
	require.Equal(t, 32*time.Second, expiryMargin(time.Hour))
	require.Equal(t, 30*time.Second, expiryMargin(90*time.Second))
}

// A far end that wants to refresh so seldom that we would not know for long whether it lives is asked meanwhile.
func TestTheyRefreshTooSeldom(t *testing.T) {
	t.Parallel()
	_, k, l, _ := upWith(t, brisk, allowsUpdate, "Supported: timer", "Session-Expires: 60;refresher=uac", "Min-SE: 60")
	req := k.p.expect("UPDATE", "UPDATE")
	require.Equal(t, "60;refresher=uas", req.header("session-expires"), "the refreshing stays theirs")
	require.Equal(t, "60", req.header("min-se"))
	k.p.respond(req, 200, "OK", "", "", "Session-Expires: 60;refresher=uas")
	alive(t, k.p, l)
}

// Our INVITE asks for a timer, and takes what the answer makes of it (RFC 4028 sections 7.1 and 7.2).
func TestOurSessionTimer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer []string
		want   sessionTimer
	}{
		{"not known", nil, sessionTimer{Interval: 1800 * time.Second}},
		{"ours", []string{"Session-Expires: 1200;refresher=uac", "Require: timer"}, sessionTimer{Interval: 1200 * time.Second, Agreed: true}},
		{"nobody named", []string{"Session-Expires: 1200"}, sessionTimer{Interval: 1200 * time.Second, Agreed: true}},
		{"theirs", []string{"x: 1200;refresher=uas"}, sessionTimer{Interval: 1200 * time.Second, Agreed: true, Theirs: true}},
		{"shorter than may be", []string{"Session-Expires: 1;refresher=uac"}, sessionTimer{Interval: 90 * time.Second, Agreed: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, p := registeredPhone(t, rigT1)
			inv, l := p.answeredBy(r, c.answer...)
			require.Contains(t, inv.header("supported"), "timer")
			require.Equal(t, "1800;refresher=uac", inv.header("session-expires"))
			require.Empty(t, inv.header("min-se"))
			l.mu.Lock()
			got := l.d.Session
			l.mu.Unlock()
			require.WithinDuration(t, time.Now().Add(c.want.Interval), got.Ends, testWait)
			got.Ends = time.Time{}
			require.Equal(t, c.want, got)
			alive(t, p, l)
		})
	}
}

// 422 has our INVITE sent again with what it wants (RFC 4028 section 7.3), and a refresh too.
func TestOurSessionTooShort(t *testing.T) {
	t.Parallel()
	r, p := registeredPhone(t, rigT1)
	out := r.ring(t.Context(), nil)
	first := p.expect("INVITE", "INVITE")
	p.respond(first, 422, "Session Interval Too Small", "a0", "", "Min-SE: 3600")
	p.expect("ACK", "ACK")
	second := p.expect("INVITE", "INVITE")
	require.Equal(t, first.header("call-id"), second.header("call-id"))
	require.NotEqual(t, first.header("cseq"), second.header("cseq"))
	require.Equal(t, "3600;refresher=uac", second.header("session-expires"))
	require.Equal(t, "3600", second.header("min-se"))
	p.respond(second, 200, "OK", "a1", sdpGood, allowsUpdate, "Session-Expires: 3600;refresher=uac")
	p.expect("ACK", "ACK")
	l, ok := next(t, out).leg.(*leg)
	require.True(t, ok)

	r.ask(l)
	p.respond(p.expect("UPDATE", "UPDATE"), 422, "Session Interval Too Small", "", "", "Min-SE: 4000")
	req := p.expect("UPDATE", "UPDATE")
	require.Equal(t, "4000;refresher=uac", req.header("session-expires"))
	require.Equal(t, "4000", req.header("min-se"))
	p.respond(req, 200, "OK", "", "", "Session-Expires: 4000;refresher=uac")
	proved(t, l)
	alive(t, p, l)

	// One that makes no sense ends the ring, and no far end can have us try without end.
	for _, least := range []string{"", "Min-SE: 1800", "Min-SE: 90000"} {
		out = r.ring(t.Context(), nil)
		p.respond(p.expect("INVITE", "INVITE"), 422, "Session Interval Too Small", "a2", "", least)
		p.expect("ACK", "ACK")
		require.Error(t, next(t, out).err)
	}
}

// A refresh refused is tried again before the far end lets the session lapse, and at the old pace after that.
func TestRefreshRefusedIsRetried(t *testing.T) {
	t.Parallel()
	_, _, l, _ := upWith(t, nil, "Supported: timer", "Session-Expires: 600")
	l.mu.Lock()
	defer l.mu.Unlock()
	for left, want := range map[time.Duration]time.Duration{
		300 * time.Second: 150 * time.Second,
		100 * time.Second: 50 * time.Second,
		time.Minute:       ackWithin * rigT1,
		-time.Second:      300 * time.Second,
	} {
		began := time.Now()
		l.d.Session.Ends = began.Add(left)
		got, took := l.untilRetry(), time.Since(began) // of what is left by when it is asked
		require.InDelta(t, want.Seconds(), got.Seconds(), 0.01+took.Seconds(), "%s left", left)
	}
	l.d.Session.Agreed = false
	require.Equal(t, 300*time.Second, l.untilRetry(), "nothing lapses where nothing was agreed")
}

// No timer outlives its leg.
func TestTimerEndsWithLeg(t *testing.T) {
	t.Parallel()
	_, k, l, _ := upWith(t, nil)
	k.bye()
	ended(t, l)
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Eventually(t, func() bool { return !l.timer.Load().Stop() }, testWait, time.Millisecond)
	l.wakeIn(time.Nanosecond)
	require.False(t, l.timer.Load().Stop(), "nor is it set again")
}
