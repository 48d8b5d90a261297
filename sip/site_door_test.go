package sip

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestSettledAlone: on a node alone a phone may be rung anew once the BYE has left: it waits for no answer, and the INVITE
// of the next call does not overtake the BYE.
func TestSettledAlone(t *testing.T) {
	t.Parallel()
	r, p := registeredPhone(t, rigT1)
	for range 50 {
		out := r.ring(t.Context(), nil)
		p.answered(p.expect("INVITE", "INVITE"))
		leg := next(t, out)
		require.NoError(t, leg.err)
		ctx, cancel := context.WithCancel(t.Context())
		go leg.leg.Hangup(call.CauseBye)
		next(t, leg.leg.(interface{ Settled() <-chan struct{} }).Settled())
		again := r.ring(ctx, nil)
		first, err := p.read(testWait)
		require.NoError(t, err)
		require.Equal(t, "BYE", first.method())
		inv := p.expect("INVITE", "INVITE")
		p.respond(first, 200, "OK", "", "")
		p.settle(first)
		p.respond(inv, 486, "Busy Here", "ph2", "")
		p.expect("ACK", "ACK")
		require.Error(t, next(t, again).err)
		cancel()
	}
}

// answered has the phone answer, and reads the ACK.
func (p *peer) answered(inv wire) {
	p.t.Helper()
	p.respond(inv, 200, "OK", "ph1", sdpGood, fmt.Sprintf("Contact: <sip:8001@%s>", p.addr()))
	p.expect("ACK", "ACK")
}

// TestDoorIsNodes: what no node sends is refused at the nodes' door, so that no phone is registered there.
func TestDoorIsNodes(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", nil)
	at := newPeer(t, "udp", s.edge.SiteAddr())
	k := at.dialog("8001")
	for _, method := range []string{"REGISTER", "SUBSCRIBE", "OPTIONS", "REFER", "INVITE"} {
		k.request(method, "")
		at.status(method, 403)
	}
	k.seq++
	at.write(strings.Replace(k.message("REGISTER", k.seq, newBranch(), ""), "\r\nCall-ID:", ";tag=x\r\nCall-ID:", 1))
	at.status("REGISTER", 403)
	s.phone.lastRegister = ""
	s.phone.enlist(s.phone.dialog("8001"))
}

// TestEndRepeated: of an answer that crossed the taking back, a repetition is acknowledged, and hung up no second time.
func TestEndRepeated(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", func(o *Options) { o.T1 = testWait })
	_, inv := s.rawOwner(t).offers()
	s.phone.answers(inv, 180, "")
	require.Eventually(t, func() bool { return !s.edge.Legs()[0].Rung.IsZero() }, testWait, time.Millisecond)
	done := make(chan error, 1)
	go func() { done <- s.edge.End(t.Context(), "8001", call.Token{Epoch: 1, N: 1}) }()
	s.phone.respond(s.phone.expect("CANCEL", "CANCEL"), 200, "OK", "ph1", "")
	s.phone.answers(inv, 200, sdpGood)
	s.phone.expect("ACK", "ACK")
	bye := s.phone.expect("BYE", "BYE")
	for range 3 {
		s.phone.answers(inv, 200, sdpGood)
		w, err := s.phone.read(testWait)
		require.NoError(t, err)
		require.Equal(t, "ACK", w.method(), "what comes of a repetition")
	}
	s.phone.respond(bye, 200, "OK", "", "")
	require.NoError(t, next(t, done))
	s.phone.answers(inv, 200, sdpGood)
	w, err := s.phone.read(testWait)
	require.NoError(t, err)
	require.Equal(t, "ACK", w.method(), "after the end too")
	s.phone.caughtUp()
}

// TestPeersLast: a node with which nothing was said for as long as a talk may last is no stranger when it ends.
func TestPeersLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := peers{until: make(map[netip.Addr]time.Time)}
		host := netip.MustParseAddr("10.0.0.7")
		require.False(t, p.know(host))
		p.met(host)
		time.Sleep(12 * time.Hour)
		require.True(t, p.know(host))
		time.Sleep(12 * time.Hour)
		require.False(t, p.know(host), "not for ever")
	})
}
