package sip

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// An offer of the far end's that has no answer yet is proof enough: nothing is asked beside it.
func TestNoRefreshBesideTheirOffer(t *testing.T) {
	t.Parallel()
	_, k, l, commands := upWith(t, nil)
	k.request("INVITE", sdpHold, sdpHeader)
	re, ok := next(t, commands).(call.Reoffered)
	require.True(t, ok)
	l.prove(call.CauseSilent) // in the foreground: once it returns, nothing more is to come of it
	_, err := re.Accept()
	require.NoError(t, err)
	w := k.p.expect("SIP/2.0 200", "INVITE")
	l.prove(call.CauseSilent) // and nothing before its ACK
	k.ack(w, "")
	k.p.silence(20*time.Millisecond, "INVITE")
	k.bye()
}

// An agent whose phone is lost has its call asked at once; one over TCP is followed to its new connection.
func TestLostFlowIsAsked(t *testing.T) {
	t.Parallel()
	t.Run("pings unanswered", func(t *testing.T) {
		t.Parallel()
		r, p := registeredPhone(t, 10*time.Millisecond)
		_, l := p.answeredBy(r)
		r.flowChanged("8001", false)
		p.expect("INVITE", "INVITE")
		require.Equal(t, call.CauseSilent, ended(t, l).Why)
		p.respond(p.expect("BYE", "BYE"), 200, "OK", "", "")
		require.Equal(t, "8001 false", next(t, r.flows))
	})
	for _, back := range []bool{true, false} {
		t.Run(fmt.Sprint("connection closed, back ", back), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(o *Options) {
				if !back { // it is waited for in vain
					o.T1 = 20 * time.Millisecond
				}
			})
			p := newPeer(t, "tcp", r.tcp())
			p.register(r)
			_, l := p.answeredBy(r)
			require.NoError(t, p.conn.Close())
			require.Equal(t, "8001 false", next(t, r.flows))
			if !back {
				require.Equal(t, call.CauseSilent, ended(t, l).Why)
				return
			}
			again := newPeer(t, "tcp", r.tcp())
			again.register(r)
			var req wire // it may have come before the 200 to the REGISTER
			if len(again.passed) > 0 {
				req = again.passed[0]
			} else {
				req = again.expect("INVITE", "INVITE")
			}
			again.respond(req, 200, "OK", "", sdpGood)
			again.expect("ACK", "ACK")
			proved(t, l)
			require.Equal(t, netip.MustParseAddrPort(again.addr()), l.d.Peer, "the dialog follows the flow")
			alive(t, again, l)
		})
	}
}
