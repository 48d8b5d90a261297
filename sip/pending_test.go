package sip

import (
	"context"
	"strconv"
	"testing"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

// pendingCall sends an INVITE to a rig that repeats its 180 so often, and whose calls are in the hands of the test.
func pendingCall(t *testing.T, network string, every time.Duration, extra ...string) *ringingCall {
	t.Helper()
	legs := make(chan call.Leg, 1)
	r := newRigWith(t, func(o *Options) {
		o.OnIncoming = func(_ context.Context, in call.Incoming) {
			legs <- in.Leg
			<-in.Leg.Context().Done()
		}
	}, func(u *UA) { u.ringEvery = every })
	k := newPeer(t, network, r.at(network)).dialog(testNumber)
	k.invite(extra...)
	return &ringingCall{rig: r, talk: k, leg: next(t, legs), invite: k.seq}
}

// A 180 is sent anew for as long as the INVITE has no final response, and not beyond (RFC 3261 section 13.3.1.1); a
// reliable one is a new one each time, with a PRACK of its own (RFC 3262 section 3).
func TestRingsOn(t *testing.T) {
	t.Parallel()
	require.Equal(t, time.Minute, ringEvery)
	for name, c := range map[string]struct {
		network string
		extra   []string
	}{"udp": {"udp", nil}, "tcp": {"tcp", nil}, "reliably": {"udp", []string{require100rel}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const every = 100 * time.Millisecond
			k := pendingCall(t, c.network, every, c.extra...)
			k.p.silence(2*every, "SIP/2.0 180") // one who was never rung is not rung on
			began := time.Now()
			last := k.rung()
			for i := range 3 {
				if rseq := last.header("rseq"); rseq != "" {
					k.prack(last, "")
				}
				again := k.p.expect("SIP/2.0 180", "INVITE")
				require.GreaterOrEqual(t, again.at.Sub(began), time.Duration(i+1)*every)
				if rseq := last.header("rseq"); rseq != "" {
					n, err := strconv.Atoi(rseq)
					require.NoError(t, err)
					require.Equal(t, strconv.Itoa(n+1), again.header("rseq"))
				} else {
					require.Equal(t, last.raw, again.raw)
				}
				last = again
			}
			if last.header("rseq") != "" {
				k.prack(last, "")
			}
			_, err := k.leg.Answer()
			require.NoError(t, err)
			k.acknowledge(k.p.status("INVITE", 200))
			k.p.silence(3*every, "SIP/2.0 180")
			k.over()
		})
	}
}

// An INVITE that is not answered within its Expires gets 487, and its owner sees a caller who gave up (RFC 3261 section
// 13.3.1). One that is answered in time stays.
func TestInviteExpires(t *testing.T) {
	t.Parallel()
	t.Run("runs out", func(t *testing.T) {
		t.Parallel()
		began := time.Now()
		k := pendingCall(t, "udp", time.Minute, "Expires: 2")
		k.rung()
		gone := k.p.status("INVITE", 487)
		require.GreaterOrEqual(t, gone.at.Sub(began), 2*time.Second)
		k.acknowledge(gone)
		e := ended(t, k.leg)
		require.Equal(t, call.Far, e.By)
		require.Equal(t, call.CauseCancel, e.Why)
		_, err := k.leg.Answer()
		require.Error(t, err)
	})
	t.Run("is answered", func(t *testing.T) {
		t.Parallel()
		k := pendingCall(t, "udp", time.Minute, "Expires: 2")
		_, err := k.leg.Answer()
		require.NoError(t, err)
		k.ack(k.p.status("INVITE", 200), "")
		k.p.caughtUp()
		k.p.silence(2500*time.Millisecond, "")
		require.NoError(t, k.leg.Context().Err())
		k.over()
	})
}

// What an Expires says of an INVITE's life: what cannot be meant says nothing, and loses no caller.
func TestLifetime(t *testing.T) {
	t.Parallel()
	invite := sipmsg.NewRequest(sipmsg.INVITE, sipmsg.Uri{Scheme: schemeSIP, Host: "h"})
	for value, want := range map[string]time.Duration{
		"90": 90 * time.Second, " 5 ": 5 * time.Second, "4294967295": 24 * time.Hour,
		"0": 0, "-7": 0, "soon": 0, "": 0, "4294967296": 0, "1.5": 0,
	} {
		require.Equal(t, want, lifetime(withHeader(invite, "Expires", value)), value)
	}
	require.Zero(t, lifetime(invite))
}
