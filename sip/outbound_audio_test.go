package sip

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/internal/testkit"
	"hotline/media"
)

// A ring that goes on by the flow of another listener, or of another family, offers the address of that one, on a stream of its
// own, which is encrypted as the one before; the one before is closed, as the rig makes sure of. By another flow of the same
// listener it offers what it has offered.
func TestRingGoesOnByAnotherListener(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ first, then int }{{0, 1}, {0, 2}, {2, 0}, {1, 1}} {
		t.Run(fmt.Sprint(sides[c.first].bound, " then ", sides[c.then].bound), func(t *testing.T) {
			t.Parallel()
			sided := onSides(t, testkit.FreePorts(t, 1))
			r := newRig(t, func(o *Options) {
				sided(o)
				o.T1 = 10 * time.Second // nothing is found silent within a test
				o.Agents[0].Secure = media.SecurityOptional
				o.Audio = AudioOptions{Address: netip.IPv6Unspecified(), Advertise: netip.MustParseAddr("203.0.113.7")}
			})
			at := func(side int) netip.AddrPort { return r.Addrs()[len(sides)+side] }
			a, b := newPeer(t, networkTCP, at(c.then)), newPeer(t, networkTCP, at(c.first))
			a.withFlow(1)
			b.withFlow(2)
			inv, out := b.rungBy(r)
			b.respond(inv, 488, "Not Acceptable Here", "phone", "")
			b.expect("ACK", "ACK")
			b.expect("INVITE", "INVITE")
			require.NoError(t, b.conn.Close())
			a.respond(a.expect("INVITE", "INVITE"), 200, "OK", "phone", sdpGood)
			a.expect("ACK", "ACK")
			leg := next(t, out)
			require.NoError(t, leg.err)

			all := r.engine.opened()
			last := all[len(all)-1]
			require.Same(t, last, leg.leg.Audio())
			require.Equal(t, media.SecurityRequired, last.o.Secure)
			want, _, _ := bytes.Cut([]byte(sides[c.then].advertised), []byte(":5999"))
			require.Equal(t, string(want), last.o.Advertise.String())
			signalled := last.o.Signalling
			if c.first == c.then {
				require.Len(t, all, 2, "one for each offer of the first flow")
				signalled = *last.signalled.Load()
			} else {
				require.Len(t, all, 3)
			}
			require.Equal(t, netip.MustParseAddrPort(a.addr()).Addr(), signalled)
			leg.leg.Hangup(call.CauseBye)
			a.respond(a.expect("BYE", "BYE"), 200, "OK", "", "")
		})
	}
}

// Where no stream is left for the other flow, the ring is over, and that flow is innocent.
func TestRingGoesOnWithoutAStream(t *testing.T) {
	t.Parallel()
	sided := onSides(t, testkit.FreePorts(t, 1))
	r := newRig(t, func(o *Options) {
		sided(o)
		o.Audio = AudioOptions{Address: netip.IPv6Unspecified(), Advertise: netip.MustParseAddr("203.0.113.7")}
	})
	a, b := newPeer(t, networkTCP, r.Addrs()[len(sides)]), newPeer(t, networkTCP, r.Addrs()[len(sides)+2])
	a.withFlow(1)
	b.withFlow(2)
	inv, out := b.rungBy(r)
	r.engine.refuse(media.ErrNoPorts)
	b.respond(inv, statusFlowFailed, "Flow Failed", "edge", "")
	refusedFor(t, next(t, out), call.CauseUnreachable)
	ways := r.registrar.ways("8001")
	require.Len(t, ways, 1)
	require.Equal(t, a.addr(), ways[0].source.String())
}

// The same with an engine that has sockets: the phone that is reached by IPv4 no more is offered audio by IPv6, and both are heard.
func TestAudioByTheOtherFamily(t *testing.T) {
	t.Parallel()
	testkit.RequireIPv6(t)
	first := uint16(testkit.FreePorts(t, 4))
	engine, err := media.New(media.Options{
		Address: netip.IPv6Unspecified(), Advertise: loopback, Ports: media.PortRange{Lo: first, Hi: first + 3}, Rest: time.Millisecond,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	six := netip.IPv6Loopback()
	r := newRig(t, func(o *Options) {
		o.Engine, o.T1 = engine, 10*time.Second
		o.Audio = AudioOptions{Address: netip.IPv6Unspecified(), Advertise: loopback}
		o.Listen = append(o.Listen, Listener{
			Network: networkTCP, Address: netip.AddrPortFrom(six, 0), Advertise: netip.AddrPortFrom(six, 0),
		})
	})
	a, b := newPeer(t, networkTCP, r.Addrs()[2]), newPeer(t, networkTCP, r.tcp())
	a.withFlow(1)
	b.withFlow(2)
	inv, out := b.rungBy(r)
	require.Contains(t, inv.raw, "c=IN IP4 127.0.0.1\r\n")
	require.NoError(t, b.conn.Close())
	inv = a.expect("INVITE", "INVITE")
	require.Contains(t, inv.raw, "c=IN IP6 ::1\r\n")
	require.NotContains(t, inv.raw, "IP4")
	port := regexp.MustCompile(`m=audio (\d+) `).FindStringSubmatch(inv.raw)
	require.Len(t, port, 2)

	rtp, err := net.ListenUDP(networkUDP, net.UDPAddrFromAddrPort(netip.AddrPortFrom(six, 0)))
	require.NoError(t, err)
	defer func() { require.NoError(t, rtp.Close()) }()
	ours, _ := addrPortOf(rtp.LocalAddr())
	a.respond(inv, 200, "OK", "phone", fmt.Sprintf(
		"v=0\r\no=- 1 1 IN IP6 ::1\r\ns=-\r\nc=IN IP6 ::1\r\nt=0 0\r\nm=audio %d RTP/AVP 8\r\n", ours.Port()))
	a.expect("ACK", "ACK")
	rung := next(t, out)
	require.NoError(t, rung.err)
	stream := rung.leg.Audio()
	played := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() { played <- stream.Play(ctx, media.Clip{Name: "tone", ALaw: make([]byte, 8000), Loop: true}) }()
	var packet [1500]byte
	require.NoError(t, rtp.SetReadDeadline(time.Now().Add(testWait)))
	_, from, err := rtp.ReadFromUDPAddrPort(packet[:])
	require.NoError(t, err)
	require.Equal(t, net.JoinHostPort("::1", port[1]), from.String())
	said := append([]byte{0x80, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7}, make([]byte, 160)...) // RTP of PCMA
	require.Eventually(t, func() bool {
		said[3]++
		_, err := rtp.WriteToUDPAddrPort(said, from)
		return err == nil && !stream.Stats().LastPacket.IsZero()
	}, testWait, 20*time.Millisecond)
	stop()
	require.Error(t, <-played)
	rung.leg.Hangup(call.CauseBye)
	a.respond(a.expect("BYE", "BYE"), 200, "OK", "", "")
}
