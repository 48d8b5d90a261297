package sip

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// up waits until a trunk is known to be up, or down.
func (r *rig) up(t *testing.T, want bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		up := r.Trunks()[0].Up
		return up != nil && *up == want
	}, testWait, time.Millisecond)
	require.InDelta(t, oneIf(want), r.gauge(t, "hotline_trunk_up"), 0)
}

// expectPing reads until an OPTIONS that has not been answered.
func (p *peer) expectPing() wire {
	p.t.Helper()
	deadline := time.Now().Add(testWait)
	for {
		w, err := p.read(time.Until(deadline))
		require.NoError(p.t, err)
		if w.method() == "OPTIONS" && strings.HasPrefix(w.start, "OPTIONS ") && !p.settled[w.raw] {
			return w
		}
	}
}

// A trunk is asked whether it lives. One that is down is tried last.
func TestTrunkPing(t *testing.T) {
	t.Parallel()
	r, first, second, logs := failoverRig(t, func(o *Options) {
		o.T1 = 100 * time.Millisecond
		o.Trunks[0].Ping = 100 * time.Millisecond
	})
	ping := first.expectPing()
	require.Contains(t, ping.start, "OPTIONS sip:"+first.addr()+" SIP/2.0")
	require.Nil(t, r.Trunks()[0].Up)
	first.respond(ping, 404, "Not Found", "p", "")
	r.up(t, true)
	require.Nil(t, r.Trunks()[1].Up)
	first.respond(first.expectPing(), 503, "Service Unavailable", "p", "")
	r.up(t, false)

	out := r.outside(t.Context(), "13912345678")
	second.respond(second.expect("INVITE", "INVITE"), 486, "Busy Here", "b", "")
	require.Error(t, next(t, out).err)

	first.respond(first.expectPing(), 200, "OK", "p", "")
	r.up(t, true)
	require.True(t, r.known(netip.MustParseAddr("127.0.0.1")))
	r.up(t, false) // it answers no more
	require.Len(t, logs.FilterMessageSnippet("trunk is down").All(), 2)
	require.Len(t, logs.FilterMessageSnippet("trunk is up").All(), 2)
}

// A carrier that was down and is up is registered to at once: it may have forgotten us.
func TestTrunkPingRegistersAnew(t *testing.T) {
	t.Parallel()
	r, p, _ := registerRig(t, time.Hour, func(o *Options) {
		o.T1 = 50 * time.Millisecond
		o.Trunks[0].Ping = 100 * time.Millisecond
	})
	registers := 0
	for deadline := time.Now().Add(testWait); registers < 2; { // it pings the registrar, since there is no other address
		w, err := p.read(time.Until(deadline))
		require.NoError(t, err)
		switch {
		case w.method() == "REGISTER":
			p.bind(w, 3600)
			registers++
		case registers == 1 && (r.Trunks()[0].Up == nil || *r.Trunks()[0].Up):
			p.respond(w, 503, "Service Unavailable", "p", "")
		default:
			p.respond(w, 200, "OK", "p", "")
		}
	}
	r.registration(t, RegistrationUp)
}

func TestTakesCalls(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]bool{
		200: true, 401: true, 403: true, 404: true, 405: true, 481: true, 501: true, 603: true,
		408: false, 500: false, 502: false, 503: false, 504: false,
	} {
		require.Equal(t, want, takesCalls(code), code)
	}
}
