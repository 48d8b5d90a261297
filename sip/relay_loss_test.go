package sip

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestAdvertised: nodes that reach each other by way of relays ring each other's phones, and hang up both ways.
func TestAdvertised(t *testing.T) {
	t.Parallel()
	s := &siteRig{}
	far := time.Now().Add(time.Hour)
	s.lease.Store(&far)
	edgeAt, ownerAt := newUDPRelay(t), newUDPRelay(t)
	s.edge = s.newNode(t, "edge.1", func(o *Options) { o.Site.Advertise = edgeAt.addr() })
	s.owner = s.newNode(t, "owner.1", func(o *Options) { o.Site.Advertise = ownerAt.addr() })
	edgeAt.runs(s.edge.SiteAddr())
	ownerAt.runs(s.owner.SiteAddr())
	s.phone = newPeer(t, "udp", s.edge.udp())
	s.phone.register(s.edge)
	s.edge.Seed(call.GatePast{Agent: "8001"})
	for _, byPhone := range []bool{true, false} {
		c := s.claim()
		c.Via = edgeAt.addr().String()
		out := s.rings(t.Context(), s.owner, c, nil)
		inv := s.phone.expect("INVITE", "INVITE")
		require.Contains(t, inv.header("contact"), ownerAt.addr().String())
		require.Contains(t, inv.headers["record-route"][1], edgeAt.addr().String())
		s.phone.answers(inv, 200, sdpGood)
		s.phone.expect("ACK", "ACK")
		leg := next(t, out).leg
		settled := leg.(interface{ Settled() <-chan struct{} }).Settled()
		if byPhone {
			s.phone.inDialog(inv, "BYE", 1, "")
			s.phone.status("BYE", 200)
			ended(t, leg)
		} else {
			leg.Hangup(call.CauseBye)
			bye := s.phone.expect("BYE", "BYE")
			select {
			case <-settled:
				require.Fail(t, "the phone has not answered the BYE")
			default:
			}
			s.phone.respond(bye, 200, "OK", "", "")
		}
		next(t, settled)
		s.free(t)
	}
}

// TestLossBetweenNodes: what is lost between the nodes is repeated by the ends, or for a phone behind TCP by the edge; every
// call comes about, and ends.
func TestLossBetweenNodes(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, network string) {
		t.Helper()
		s := &siteRig{}
		far := time.Now().Add(time.Hour)
		s.lease.Store(&far)
		edgeAt := newUDPRelay(t)
		edgeAt.lost = 3
		s.edge = s.newNode(t, "edge.1", func(o *Options) { o.Site.Advertise = edgeAt.addr() })
		s.owner = s.newNode(t, "owner.1", nil)
		edgeAt.runs(s.edge.SiteAddr())
		to := s.edge.udp()
		if network == "tcp" {
			to = s.edge.tcp()
		}
		s.phone = newPeer(t, network, to)
		s.phone.register(s.edge)
		s.edge.Seed(call.GatePast{Agent: "8001"})
		for i := range 6 {
			c := s.claim()
			c.Via = edgeAt.addr().String()
			out := s.rings(t.Context(), s.owner, c, nil)
			inv := s.phone.expect("INVITE", "INVITE")
			if i%3 == 0 {
				s.phone.answersUntil(inv, 486, "ACK")
				var e *call.RingError
				require.ErrorAs(t, next(t, out).err, &e)
				require.Equal(t, call.CauseBusy, e.Why)
				s.free(t)
				continue
			}
			s.phone.answersUntil(inv, 200, "ACK")
			got := next(t, out)
			require.NoError(t, got.err)
			got.leg.Hangup(call.CauseBye)
			s.phone.respond(s.phone.expect("BYE", "BYE"), 200, "OK", "", "")
			done := got.leg.(interface{ Settled() <-chan struct{} }).Settled()
			for settled := false; !settled; {
				select {
				case <-done:
					settled = true
				default:
					if w, err := s.phone.read(10 * time.Millisecond); err == nil && w.method() == "BYE" {
						s.phone.respond(w, 200, "OK", "", "")
					}
				}
			}
			s.free(t)
		}
	})
}

// answersUntil responds to an INVITE again and again, as a phone does, until a request of that method has come.
func (p *peer) answersUntil(inv wire, code int, method string) {
	p.t.Helper()
	for range 100 {
		if code < 300 || p.transport() == transportUDP {
			p.answers(inv, code, sdpGood)
		} else if code > 0 {
			p.answers(inv, code, "")
			code = 0
		}
		for {
			w, err := p.read(100 * time.Millisecond)
			if err != nil {
				break
			}
			if w.method() == method && w.header("call-id") == inv.header("call-id") {
				return
			}
			p.pinged(w)
		}
	}
	require.FailNow(p.t, "no "+method)
}

// udpRelay passes datagrams on to one address, from a socket of its own for each source.
type udpRelay struct {
	t    *testing.T
	conn *net.UDPConn
	lost int // of so many datagrams one is lost, each way; 0: none
}

func newUDPRelay(t *testing.T) *udpRelay {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	return &udpRelay{t: t, conn: c}
}

func (u *udpRelay) addr() netip.AddrPort {
	a, _ := addrPortOf(u.conn.LocalAddr())
	return a
}

func (u *udpRelay) runs(to netip.AddrPort) {
	done := make(chan struct{})
	outs := make(map[netip.AddrPort]*net.UDPConn)
	go func() {
		defer close(done)
		buf := make([]byte, maxDatagram)
		var backs []chan struct{}
		for read := 1; ; read++ {
			n, from, err := u.conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				break
			}
			if u.lost > 0 && read%u.lost == 0 {
				continue
			}
			out := outs[from]
			if out == nil {
				if out, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(to)); err != nil {
					break
				}
				outs[from] = out
				back := make(chan struct{})
				backs = append(backs, back)
				go func() {
					defer close(back)
					buf, read := make([]byte, maxDatagram), 0
					for {
						n, err := out.Read(buf)
						if err != nil {
							return
						}
						if read++; u.lost > 0 && read%u.lost == 0 {
							continue
						}
						_, _ = u.conn.WriteToUDPAddrPort(buf[:n], from)
					}
				}()
			}
			_, _ = out.Write(buf[:n])
		}
		for _, out := range outs {
			_ = out.Close()
		}
		for _, back := range backs {
			<-back
		}
	}()
	u.t.Cleanup(func() {
		_ = u.conn.Close()
		<-done
	})
}
