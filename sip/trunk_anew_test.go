package sip

import (
	"crypto/tls"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// registers reads until a REGISTER that is not one before, sent again, and grants it an hour; all else is for other to answer.
func (p *peer) registers(before string, other func(w wire)) (cseq string) {
	p.t.Helper()
	for deadline := time.Now().Add(testWait); ; {
		w, err := p.read(time.Until(deadline))
		require.NoError(p.t, err)
		switch {
		case w.method() != "REGISTER":
			if other != nil {
				other(w)
			}
		case w.header("cseq") != before:
			p.bind(w, 3600)
			return w.header("cseq")
		}
	}
}

// A carrier that ends the connection by which we registered is registered to anew, over another, though the registration has
// an hour to go: it has restarted, and forgotten us. That of a connection to another ends does not matter.
func TestTrunkRegistersAnewAfterConnection(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	carrier := newTLSCarrier(t, ca.issue(nil, "localhost"), nil)
	r, _ := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file}, func(o *Options) {
		o.Trunks[0].Register = &TrunkRegister{
			Network: "tls", Address: "localhost:" + carrier.port, Username: "9677700", Password: carrierPassword, Expires: time.Hour,
		}
	})
	p := carrier.next(r)
	first := p.registers("", nil)
	r.registration(t, RegistrationUp)
	other := newPeer(t, "tcp", r.tcp())
	require.NoError(t, other.conn.Close())
	p.silence(20*time.Millisecond, "REGISTER")

	require.NoError(t, p.conn.(*tls.Conn).NetConn().Close())
	p = carrier.next(r)
	p.registers(first, nil)
	require.Eventually(t, func() bool { return r.registers(trunkRefreshed) == 1 }, testWait, time.Millisecond)
}

// A registration is refreshed as often as is asked for, however long it was granted for.
func TestTrunkRefreshesEarly(t *testing.T) {
	t.Parallel()
	_, p, _ := registerRig(t, time.Hour, func(o *Options) { o.Trunks[0].Register.Refresh = 200 * time.Millisecond })
	p.registers(p.registers("", nil), nil)
}

// A carrier that answers a ping only when it is sent again, and answered those before at once, may have begun anew between.
func TestTrunkRegistersAnewAfterLatePing(t *testing.T) {
	t.Parallel()
	r, p, _ := registerRig(t, time.Hour, func(o *Options) {
		o.T1 = 200 * time.Millisecond
		o.Trunks[0].Ping = 100 * time.Millisecond
	})
	answer := func(w wire) { p.respond(w, 200, "OK", "p", "") }
	first := p.registers("", answer)
	r.registration(t, RegistrationUp)
	r.awaitPinged(t, p, answer)
	seen := map[string]bool{}
	p.registers(first, func(w wire) {
		id := w.header("call-id")
		if !seen[id] && len(seen)%2 == 0 {
			seen[id] = true
			return // lost on the way
		}
		seen[id] = true
		answer(w)
	})
	require.True(t, *r.Trunks()[0].Up, "it was never down")
}

// awaitPinged answers pings until it is known that one was.
func (r *rig) awaitPinged(t *testing.T, p *peer, answer func(w wire)) {
	t.Helper()
	for r.Trunks()[0].Up == nil {
		answer(p.expectPing())
	}
}

// A carrier that registers us, and leaves OPTIONS unanswered, is not down: it has never heard of them.
func TestTrunkPingUnheardOf(t *testing.T) {
	t.Parallel()
	r, p, logs := registerRig(t, time.Hour, func(o *Options) {
		o.T1 = 100 * time.Millisecond
		o.Trunks[0].Ping = 50 * time.Millisecond
	})
	p.registers("", nil)
	r.registration(t, RegistrationUp)
	pings := map[string]bool{}
	for len(pings) < 2 { // the second begins when the first has ended, after 16 T1
		pings[p.expectPing().header("call-id")] = true
	}
	require.Nil(t, r.Trunks()[0].Up)
	require.Empty(t, logs.FilterMessageSnippet("trunk is down").All())
}

// Nor is it down for good once it was away.
func TestTrunkPingUnheardOfAfterOutage(t *testing.T) {
	t.Parallel()
	r, p, logs := registerRig(t, time.Hour, func(o *Options) {
		o.T1 = 50 * time.Millisecond
		o.Trunks[0].Ping = 50 * time.Millisecond
	})
	r.up(t, false)
	for deadline := time.Now().Add(testWait); r.Trunks()[0].Up != nil; { // pings go on all the time
		w, err := p.read(time.Until(deadline))
		require.NoError(t, err)
		if w.method() == "REGISTER" {
			p.bind(w, 3600)
		}
	}
	r.registration(t, RegistrationUp)
	require.Empty(t, logs.FilterMessageSnippet("trunk is up").All())
	require.Len(t, logs.FilterMessageSnippet("has never answered OPTIONS").All(), 1)
}

// A call that is refused as those of somebody unknown are has the carrier told anew who we are.
func TestTrunkRegistersAnewAfterRefusal(t *testing.T) {
	t.Parallel()
	for _, code := range []int{401, 403, 404, 407} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			r, p, _ := registerRig(t, time.Hour, func(o *Options) {
				o.Trunks[0].Out = &TrunkOut{Network: "udp", Address: "placeholder.invalid:5060", From: testNumber}
				o.Dial = []DialRule{rule("139")}
			})
			r.plan().list[0].out.Address = p.addr()
			first := p.registers("", nil)
			r.registration(t, RegistrationUp)
			out := r.outside(t.Context(), "13912345678")
			p.respond(p.expect("INVITE", "INVITE"), code, "No", "a", "")
			p.expect("ACK", "ACK")
			require.Error(t, next(t, out).err)
			p.registers(first, nil)
		})
	}
}

// One that says what the person called says does not.
func TestTrunkNotDoubted(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]bool{0: false, 401: true, 403: true, 404: true, 407: true, 408: false, 480: false, 486: false, 503: false, 603: false} {
		require.Equal(t, want, doubtful(&call.RingError{Code: code}), code)
	}
	require.False(t, doubtful(nil))
}

// What may have another reason is heeded once a minute.
func TestTrunkDoubt(t *testing.T) {
	t.Parallel()
	g := newRegistration("city", TrunkRegister{Network: "udp", Address: "h:1"})
	token := func() bool {
		select {
		case <-g.anew:
			return true
		default:
			return false
		}
	}
	at := time.Now()
	g.become(registrationState{now: RegistrationRefused, code: 403})
	g.doubt(at)
	require.False(t, token(), "its back-off stands")
	g.become(registrationState{now: RegistrationUp, until: at.Add(time.Hour)})
	g.doubt(at)
	require.True(t, token())
	g.doubt(at.Add(doubtRest - 1))
	require.False(t, token())
	g.doubt(at.Add(doubtRest))
	g.doubt(at.Add(doubtRest))
	require.True(t, token())
	require.False(t, token())
}

// Whoever ends every connection at once is asked less and less often.
func TestTrunkPauseGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRegistration("city", TrunkRegister{Network: "tcp", Address: "h:1"})
		pause := func() time.Duration {
			g.bound.Store(&grantedBy{at: time.Now()})
			g.forgotten()
			began := time.Now()
			g.await(t.Context(), nil)
			require.Empty(t, g.anew, "it is heeded by the REGISTER that follows")
			return time.Since(began)
		}
		for i := range 10 {
			bound := min(silentMost, silentBase<<i)
			took := pause()
			require.GreaterOrEqual(t, took, bound/2)
			require.LessOrEqual(t, took, bound)
		}
		g.bound.Store(&grantedBy{at: time.Now()})
		time.Sleep(silentMost)
		began := time.Now()
		g.pause(t.Context(), nil)
		require.LessOrEqual(t, time.Since(began), silentBase, "it held for long")
	})
}

// A registration that is doubted again and again is refreshed when it is due all the same; and once it has held until then, the
// next doubt is heeded soon.
func TestTrunkPauseEndsAtRefresh(t *testing.T) {
	t.Parallel()
	const doubts = 6 // the last alone would be heeded after 16 s at least, and with those before after 31 s
	r, p, _ := registerRig(t, time.Hour, func(o *Options) { o.Trunks[0].Register.Refresh = 100 * time.Millisecond })
	g := r.plan().list[0].reg
	cseq := p.registers("", nil)
	for range doubts {
		g.forgotten()
		cseq = p.registers(cseq, nil)
	}
	for range 3 { // one may be what the last doubt led to; the next was answered when the third is sent
		cseq = p.registers(cseq, nil)
	}
	closed := make(chan error, 1)
	go func() { closed <- r.Close() }()
	for open := true; open; {
		req := p.expect("REGISTER", "REGISTER")
		p.bind(req, 0)
		open = req.header("expires") != "0"
	}
	require.NoError(t, next(t, closed))
	require.Zero(t, g.losses, "it has held")
}
