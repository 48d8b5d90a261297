package sip

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// withFlow registers as a phone that has a flow of a number, and returns the 200.
func (p *peer) withFlow(reg int) wire {
	p.t.Helper()
	contact := fmt.Sprintf(`<sip:8001@%s;ob>;+sip.instance="<urn:uuid:00000000-0000-1000-8000-000a95a0e128>";reg-id=%d`, p.addr(), reg)
	return p.enlistAs(p.dialog("8001"), contact, "Supported: path, outbound")
}

// twoFlows is a phone with two flows over TCP, of which that of b came last.
func twoFlows(t *testing.T, t1 time.Duration) (r *rig, a, b *peer) {
	t.Helper()
	r = newRig(t, func(o *Options) { o.T1 = t1 })
	a, b = newPeer(t, "tcp", r.tcp()), newPeer(t, "tcp", r.tcp())
	a.withFlow(1)
	require.Equal(t, "8001 true", next(t, r.flows))
	b.withFlow(2)
	return r, a, b
}

// TestFlowsOfOnePhone: what a REGISTER over a flow is answered (RFC 5626 section 6): that the registrar knows of flows, which
// there are, and how often the phone is to be heard over a connection.
func TestFlowsOfOnePhone(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	a, b := newPeer(t, "tcp", r.tcp()), newPeer(t, "udp", r.udp())
	first := a.withFlow(1)
	require.Equal(t, "outbound", first.header("require"))
	require.Equal(t, "120", first.header("flow-timer"))
	second := b.withFlow(2)
	require.Equal(t, "outbound", second.header("require"))
	require.Empty(t, second.header("flow-timer"), "a NAT keeps no mapping of UDP for so long")
	require.Contains(t, second.raw, a.addr())
	require.Contains(t, second.raw, `;+sip.instance="<urn:uuid:00000000-0000-1000-8000-000a95a0e128>";reg-id=2;expires=`)
	require.Contains(t, second.raw, ";reg-id=1;expires=")
	require.Len(t, r.registrar.ways("8001"), 2)

	c := newPeer(t, "udp", r.udp()) // which says nothing of flows, and is another phone
	answer := c.enlistAs(c.dialog("8001"), "<sip:8001@"+c.addr()+">;reg-id=3")
	require.Empty(t, answer.header("require"))
	require.Len(t, r.registrar.ways("8001"), 1)
}

// TestRingByTheOtherFlow: a phone rings by the flow that came last, and by the other once that is gone; it is gone itself with
// the last of them.
func TestRingByTheOtherFlow(t *testing.T) {
	t.Parallel()
	r, a, b := twoFlows(t, 100*time.Millisecond)
	inv, out := b.rungBy(r)
	b.respond(inv, 486, "Busy Here", "phone", "")
	require.Error(t, next(t, out).err)
	a.silence(50*time.Millisecond, "INVITE")

	require.NoError(t, b.conn.Close())
	require.Eventually(t, func() bool { return len(r.registrar.ways("8001")) == 1 }, testWait, time.Millisecond)
	inv, out = a.rungBy(r)
	a.respond(inv, 486, "Busy Here", "phone", "")
	require.Error(t, next(t, out).err)
	require.Empty(t, r.flows, "the agent was never away")

	require.NoError(t, a.conn.Close())
	require.Equal(t, "8001 false", next(t, r.flows))
}

// TestRingGoesOn: a ring goes on by the other flow at once, when the one fails before the phone has answered it: its connection
// is closed, or somebody on the way says that it failed.
func TestRingGoesOn(t *testing.T) {
	t.Parallel()
	const never = 10 * time.Second // nothing is found silent within a test
	for name, fail := range map[string]func(b *peer, inv wire){
		"closed": func(b *peer, _ wire) { require.NoError(b.t, b.conn.Close()) },
		"430":    func(b *peer, inv wire) { b.respond(inv, statusFlowFailed, "Flow Failed", "edge", "") },
		"408":    func(b *peer, inv wire) { b.respond(inv, 408, "Request Timeout", "edge", "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, a, b := twoFlows(t, never)
			inv, out := b.rungBy(r)
			fail(b, inv)
			again := a.expect("INVITE", "INVITE")
			require.Equal(t, inv.header("call-id"), again.header("call-id"))
			a.respond(again, 200, "OK", "phone", sdpGood)
			a.expect("ACK", "ACK")
			got := next(t, out)
			require.NoError(t, got.err)
			require.Empty(t, r.flows)
			got.leg.Hangup(call.CauseBye)
			a.respond(a.expect("BYE", "BYE"), 200, "OK", "", "")
		})
	}
}

// TestRingWaitsForSilence: a flow that is silent for a while may have the phone ring yet, which is not rung by another beside it.
func TestRingWaitsForSilence(t *testing.T) {
	t.Parallel()
	const t1 = 100 * time.Millisecond
	r, a, b := twoFlows(t, t1)
	inv, out := b.rungBy(r)
	a.silence(2*heardWithin*t1, "INVITE")
	b.respond(inv, 200, "OK", "phone", sdpGood)
	b.expect("ACK", "ACK")
	got := next(t, out)
	require.NoError(t, got.err)
	got.leg.Hangup(call.CauseBye)
	b.respond(b.expect("BYE", "BYE"), 200, "OK", "", "")
	a.silence(t1, "INVITE")
}

// TestGateRefusesTheOtherFlow: where the gate does not admit the ring by the other flow, that flow has not failed.
func TestGateRefusesTheOtherFlow(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", nil)
	s.phone.withFlow(1)
	b := newPeer(t, "tcp", s.edge.tcp())
	b.withFlow(2)
	c := s.claim()
	c.Via = ""
	out := s.rings(t.Context(), s.edge, c, nil)
	b.expect("INVITE", "INVITE")
	higher := s.claim()
	require.Error(t, s.refused(t, s.owner, higher))
	require.NoError(t, b.conn.Close())
	var e *call.RingError
	require.ErrorAs(t, next(t, out).err, &e)
	require.Equal(t, call.CauseTaken, e.Why)
	require.Equal(t, higher.Token, e.Above)
	s.phone.silence(50*time.Millisecond, "INVITE")
	ways := s.edge.registrar.ways("8001")
	require.Len(t, ways, 1)
	require.Equal(t, transportUDP, ways[0].transport)
	s.free(t)
}

// deafen has nothing be written any more over the connection of a peer, of which nobody is told before somebody tries.
func (r *rig) deafen(t *testing.T, p *peer) {
	t.Helper()
	c := r.conns.of(transportTCP, netip.MustParseAddrPort(p.addr()))
	require.NotNil(t, c)
	raw, ok := c.raw.(*net.TCPConn)
	require.True(t, ok)
	require.NoError(t, raw.CloseWrite())
}

// TestRingNotSent: where the INVITE cannot be written it goes by the other flow at once; also at the node where the phone is
// registered, if that is another.
func TestRingNotSent(t *testing.T) {
	t.Parallel()
	const never = 10 * time.Second
	t.Run("here", func(t *testing.T) {
		t.Parallel()
		r, a, b := twoFlows(t, never)
		r.deafen(t, b)
		inv, out := a.rungBy(r)
		a.respond(inv, 486, "Busy Here", "phone", "")
		require.Error(t, next(t, out).err)
	})
	t.Run("at another node", func(t *testing.T) {
		t.Parallel()
		s := newSiteRig(t, "udp", nil)
		s.phone.withFlow(1)
		b := newPeer(t, "tcp", s.edge.tcp())
		b.withFlow(2)
		s.edge.deafen(t, b)
		out := s.rings(t.Context(), s.owner, s.claim(), nil)
		inv := s.phone.expect("INVITE sip:8001@"+s.phone.addr(), "INVITE")
		s.phone.answers(inv, 486, "")
		require.Error(t, next(t, out).err)
		s.free(t)
	})
}

// TestDialogKeepsItsFlow: a call goes on over the flow it began by when another comes, and over that when it is gone.
func TestDialogKeepsItsFlow(t *testing.T) {
	t.Parallel()
	for _, gone := range []bool{false, true} {
		t.Run(fmt.Sprintf("gone %t", gone), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			a, b := newPeer(t, "tcp", r.tcp()), newPeer(t, "tcp", r.tcp())
			a.withFlow(1)
			inv, out := a.rungBy(r)
			a.respond(inv, 200, "OK", "phone", sdpGood)
			a.expect("ACK", "ACK")
			leg := next(t, out).leg
			b.withFlow(2)
			at := a
			if gone {
				require.NoError(t, a.conn.Close())
				require.Eventually(t, func() bool { return len(r.registrar.ways("8001")) == 1 }, testWait, time.Millisecond)
				at = b
			}
			leg.Hangup(call.CauseBye)
			at.respond(at.expect("BYE", "BYE"), 200, "OK", "", "")
		})
	}
}

// TestFlowsAreBounded: of a phone that has more flows than it may, those that came first go.
func TestFlowsAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for reg := range 2 * flowsMost {
		newPeer(t, "udp", r.udp()).withFlow(reg + 1)
	}
	ways := r.registrar.ways("8001")
	require.Len(t, ways, flowsMost)
	for i, b := range r.registrar.bindings.byAgent["8001"] {
		require.EqualValues(t, 2*flowsMost-i, b.reg)
	}
	require.Len(t, r.registrar.bindings.byFlow, flowsMost)
}

// TestKeptByStun: a phone that is registered over UDP is answered its STUN keep-alive; nobody else is.
func TestKeptByStun(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	p := newPeer(t, "udp", r.udp())
	ask := []byte{0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x80, 0x22, 0, 3, 'r', 'e', ' ', 0}
	stranger := newPeer(t, "udp", r.udp())
	p.withFlow(1)
	for _, from := range []*peer{stranger, p} {
		_, err := from.conn.Write(ask)
		require.NoError(t, err)
	}
	var b [64]byte
	require.NoError(t, p.conn.SetReadDeadline(time.Now().Add(testWait)))
	n, err := p.conn.Read(b[:])
	require.NoError(t, err)
	require.Equal(t, bindingSuccess(ask, netip.MustParseAddrPort(p.addr())), b[:n])
	stranger.silence(50*time.Millisecond, "")
}

// TestBindingSuccess reads back what RFC 8489 section 14.2 has in the answer.
func TestBindingSuccess(t *testing.T) {
	t.Parallel()
	ask := []byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	for _, src := range []string{"192.0.2.7:5071", "[2001:db8::7]:5071"} {
		at := netip.MustParseAddrPort(src)
		got := bindingSuccess(ask, at)
		require.Equal(t, []byte{1, 1}, got[:2])
		require.EqualValues(t, len(got)-20, binary.BigEndian.Uint16(got[2:]))
		require.Equal(t, ask[4:20], got[4:20])
		require.EqualValues(t, 0x20, binary.BigEndian.Uint16(got[20:]))
		require.EqualValues(t, 5071, binary.BigEndian.Uint16(got[26:])^0x2112)
		addr := append([]byte(nil), got[28:]...)
		for i := range addr {
			addr[i] ^= ask[4+i]
		}
		a, ok := netip.AddrFromSlice(addr)
		require.True(t, ok)
		require.Equal(t, at.Addr(), a)
	}
	require.Nil(t, bindingSuccess(ask[:19], netip.AddrPort{}))
	must := append([]byte{0, 1, 0, 4}, append(append([]byte(nil), ask[4:]...), 0, 6, 0, 0)...)
	require.Nil(t, bindingSuccess(must, netip.AddrPort{}))
}

func FuzzBindingSuccess(f *testing.F) {
	f.Add([]byte{0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x80, 0x22, 0, 3, 'r', 'e', ' ', 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		if got := bindingSuccess(data, netip.MustParseAddrPort("192.0.2.7:5071")); got != nil {
			require.Len(t, got, 32)
		}
	})
}
