package sip

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

var siteSecret = []byte("a secret of the nodes that is long enough")

// siteRig is an edge with a phone of literal messages, 8001's, and an owner beside it.
type siteRig struct {
	owner, edge *rig
	phone       *peer
	lease       atomic.Pointer[time.Time]
	moves       atomic.Bool
	n           uint64
}

// newNode is a rig that is a node of a site.
func (s *siteRig) newNode(t *testing.T, name string, change func(o *Options)) *rig {
	t.Helper()
	return newRig(t, func(o *Options) {
		o.Site = &SiteOptions{
			Listen: netip.MustParseAddrPort("127.0.0.1:0"), Secret: siteSecret,
			Self:  func() call.NodeID { return call.NodeID(name) },
			Lease: func() time.Time { return *s.lease.Load() }, MovesOn: s.moves.Load,
		}
		if change != nil {
			change(o)
		}
	})
}

func newSiteRig(t *testing.T, network string, change func(o *Options)) *siteRig {
	t.Helper()
	s := &siteRig{}
	far := time.Now().Add(time.Hour)
	s.lease.Store(&far)
	s.edge = s.newNode(t, "edge.1", change)
	s.owner = s.newNode(t, "owner.1", change)
	switch network {
	case "udp":
		s.phone = newPeer(t, network, s.edge.udp())
	case "tcp":
		s.phone = newPeer(t, network, s.edge.tcp())
	default:
		s.phone = newWSPeer(t, s.edge, network)
	}
	s.phone.register(s.edge)
	require.Equal(t, []string{"8001"}, s.edge.Held())
	s.edge.Seed(call.GatePast{Agent: "8001"})
	return s
}

// claim is the next claim on 8001, good for a while.
func (s *siteRig) claim() *call.RingClaim {
	s.n++
	return &call.RingClaim{
		Token: call.Token{Epoch: 1, N: s.n}, Owner: "owner.1", Edge: "edge.1", Via: s.edge.SiteAddr().String(),
		Until: time.Now().Add(testWait),
	}
}

// rings rings 8001 in the background.
func (s *siteRig) rings(ctx context.Context, from *rig, c *call.RingClaim, progress func(int, time.Time)) <-chan rung {
	out := make(chan rung, 1)
	go func() {
		l, err := from.Ring(ctx, call.RingRequest{Agent: "8001", From: "13900001234", CallID: "c1", Progress: progress, Claim: c})
		out <- rung{l, err}
	}()
	return out
}

// refused rings, and returns what came of it.
func (s *siteRig) refused(t *testing.T, from *rig, c *call.RingClaim) *call.RingError {
	t.Helper()
	got := next(t, s.rings(t.Context(), from, c, nil))
	var e *call.RingError
	require.ErrorAs(t, got.err, &e)
	return e
}

// talks has the phone answer a ring by the owner.
func (s *siteRig) talks(t *testing.T) (inv wire, l call.Leg) {
	t.Helper()
	out := s.rings(t.Context(), s.owner, s.claim(), nil)
	inv = s.phone.expect("INVITE", "INVITE")
	s.phone.answers(inv, 200, sdpGood)
	s.phone.expect("ACK", "ACK")
	got := next(t, out)
	require.NoError(t, got.err)
	return inv, got.leg
}

// answers responds as a phone behind a proxy does.
func (p *peer) answers(inv wire, code int, body string, extra ...string) {
	p.t.Helper()
	for _, route := range inv.headers["record-route"] {
		extra = append(extra, "Record-Route: "+route)
	}
	p.respond(inv, code, "X", "ph1", body, extra...)
}

// inDialog sends a request of the phone's in the dialog that it answered.
func (p *peer) inDialog(inv wire, method string, seq int, body string, extra ...string) {
	p.t.Helper()
	p.write(p.dialogRequest(inv, method, seq, newBranch(), body, extra...))
}

func (p *peer) dialogRequest(inv wire, method string, seq int, branch, body string, extra ...string) string {
	contact := strings.Trim(inv.header("contact"), "<>")
	lines := []string{
		fmt.Sprintf("%s %s SIP/2.0", method, contact),
		fmt.Sprintf("Via: SIP/2.0/%s %s;rport;branch=%s", p.transport(), p.addr(), branch),
		"Max-Forwards: 70", "From: " + inv.header("to") + ";tag=ph1", "To: " + inv.header("from"),
		"Call-ID: " + inv.header("call-id"), fmt.Sprintf("CSeq: %d %s", seq, method), fmt.Sprintf("Contact: <sip:8001@%s>", p.addr()),
	}
	for _, route := range inv.headers["record-route"] {
		lines = append(lines, "Route: "+route)
	}
	lines = append(lines, extra...)
	lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)))
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

// free waits until no leg is at the edge.
func (s *siteRig) free(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return len(s.edge.Legs()) == 0 }, testWait, time.Millisecond)
}

func both(t *testing.T, test func(t *testing.T, network string)) {
	t.Helper()
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			test(t, network)
		})
	}
}

// TestThroughEdge: a phone at another node is rung, answers, and is hung up, as one that is here; its edge stays on the way.
func TestThroughEdge(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, network string) {
		t.Helper()
		s := newSiteRig(t, network, nil)
		codes := make(chan int, 4)
		out := s.rings(t.Context(), s.owner, s.claim(), func(code int, _ time.Time) { codes <- code })
		inv := s.phone.expect("INVITE sip:8001@"+s.phone.addr(), "INVITE")
		require.NotContains(t, strings.ToLower(inv.raw), nodeHeaders)
		require.Len(t, inv.headers["record-route"], 2)
		require.Contains(t, inv.headers["record-route"][0], s.phone.to.String(), "the phone's side first")
		require.Contains(t, inv.headers["record-route"][1], s.edge.SiteAddr().String())
		require.Equal(t, "180", inv.header("expires"))
		require.Equal(t, sdpOurs, inv.body)
		require.Equal(t, "69", inv.header("max-forwards"))
		leg := s.edge.Legs()[0]
		require.Equal(t, call.Token{Epoch: 1, N: 1}, leg.Token)
		require.Equal(t, call.NodeID("owner.1"), leg.Owner)
		require.Equal(t, "c1", leg.Call)
		require.Equal(t, inv.header("call-id"), leg.Dialog)
		s.phone.answers(inv, 180, "", "Hotline-Highest: 9.9")
		require.Equal(t, 180, next(t, codes))
		require.False(t, s.edge.Legs()[0].Rung.IsZero())
		s.phone.answers(inv, 200, sdpGood)
		ack := s.phone.expect("ACK sip:8001@"+s.phone.addr(), "ACK")
		got := next(t, out)
		require.NoError(t, got.err)
		require.False(t, s.edge.Legs()[0].Answered.IsZero())
		require.Equal(t, "127.0.0.1", s.owner.engine.opened()[0].signalled.Load().String(), "where its audio may come from")
		s.phone.answers(inv, 200, sdpGood) // as if the ACK were lost
		again := s.phone.expect("ACK", "ACK")
		require.Equal(t, ack.header("cseq"), again.header("cseq"))
		got.leg.Hangup(call.CauseBye)
		bye := s.phone.expect("BYE sip:8001@"+s.phone.addr(), "BYE")
		require.Empty(t, bye.headers["route"])
		require.Len(t, s.edge.Legs(), 1, "it lives until the phone has answered")
		s.phone.respond(bye, 200, "OK", "", "")
		s.free(t)
		s.owner.quiet(t)
	})
}

// TestThroughEdgeHungUpByPhone: the phone is free once it has hung up.
func TestThroughEdgeHungUpByPhone(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, network string) {
		t.Helper()
		s := newSiteRig(t, network, nil)
		inv, leg := s.talks(t)
		s.phone.inDialog(inv, "BYE", 1, "")
		s.phone.status("BYE", 200)
		e := ended(t, leg)
		require.Equal(t, call.CauseBye, e.Why)
		require.Equal(t, call.Far, e.By)
		s.free(t)
		s.phone.inDialog(inv, "INFO", 2, "")
		s.phone.status("INFO", 481)
	})
}

// TestThroughEdgeRefused: what the phone says of itself is what the owner hears, and its ACK is what the phone gets.
func TestThroughEdgeRefused(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, network string) {
		t.Helper()
		s := newSiteRig(t, network, nil)
		for code, why := range map[int]call.Cause{
			486: call.CauseBusy, 603: call.CauseDeclined, 403: call.CauseDeclined, 404: call.CauseUnreachable, 302: call.CauseDeclined,
		} {
			out := s.rings(t.Context(), s.owner, s.claim(), nil)
			inv := s.phone.expect("INVITE", "INVITE")
			s.phone.answers(inv, code, "", "Hotline-Highest: 9.9", "Hotline-Refused: flow")
			ack := s.phone.expect("ACK "+strings.Fields(inv.start)[1], "ACK")
			require.Equal(t, inv.headers["via"][0], ack.headers["via"][0], "of the same transaction")
			var e *call.RingError
			require.ErrorAs(t, next(t, out).err, &e)
			require.Equal(t, why, e.Why, code)
			require.False(t, e.Unsure)
			require.Zero(t, e.Above, "a phone cannot speak as a node")
			s.free(t)
		}
	})
}

// TestThroughEdgeTriedAnew: a refusal that the owner knows a remedy for is followed by another INVITE of the same claim.
func TestThroughEdgeTriedAnew(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", nil)
	out := s.rings(t.Context(), s.owner, s.claim(), nil)
	inv := s.phone.expect("INVITE", "INVITE")
	s.phone.answers(inv, 422, "", "Min-SE: 3600")
	s.phone.expect("ACK", "ACK")
	again := s.phone.expect("INVITE", "INVITE")
	require.Equal(t, inv.header("call-id"), again.header("call-id"))
	require.NotEqual(t, inv.header("cseq"), again.header("cseq"))
	s.phone.answers(again, 200, sdpGood)
	s.phone.expect("ACK", "ACK")
	leg := next(t, out).leg
	leg.Hangup(call.CauseBye)
	s.phone.respond(s.phone.expect("BYE", "BYE"), 200, "OK", "", "")
	s.free(t)
}

// TestThroughEdgeWithdrawn: CANCEL goes to the phone, whose own answer tells the owner that it is free.
func TestThroughEdgeWithdrawn(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, network string) {
		t.Helper()
		s := newSiteRig(t, network, nil)
		ctx, cancel := context.WithCancelCause(t.Context())
		codes := make(chan int, 4)
		out := s.rings(ctx, s.owner, s.claim(), func(code int, _ time.Time) { codes <- code })
		inv := s.phone.expect("INVITE", "INVITE")
		s.phone.answers(inv, 180, "")
		next(t, codes)
		cancel(call.CancelCause{Why: call.CauseElsewhere})
		c := s.phone.expect("CANCEL "+strings.Fields(inv.start)[1], "CANCEL")
		require.Equal(t, inv.headers["via"][0], c.header("via"))
		require.Contains(t, c.header("reason"), "elsewhere")
		s.phone.respond(c, 200, "OK", "ph1", "")
		require.Len(t, s.edge.Legs(), 1)
		s.phone.answers(inv, 487, "")
		s.phone.expect("ACK", "ACK")
		var e *call.RingError
		require.ErrorAs(t, next(t, out).err, &e)
		require.Equal(t, call.CauseElsewhere, e.Why)
		require.False(t, e.Unsure)
		s.free(t)
	})
}

// TestThroughEdgeCrossed: an answer that crosses the CANCEL is acknowledged and hung up by the owner, who waits for that.
func TestThroughEdgeCrossed(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", nil)
	ctx, cancel := context.WithCancel(t.Context())
	codes := make(chan int, 4)
	out := s.rings(ctx, s.owner, s.claim(), func(code int, _ time.Time) { codes <- code })
	inv := s.phone.expect("INVITE", "INVITE")
	s.phone.answers(inv, 180, "")
	next(t, codes)
	cancel()
	s.phone.respond(s.phone.expect("CANCEL", "CANCEL"), 200, "OK", "ph1", "")
	s.phone.answers(inv, 200, sdpGood)
	s.phone.expect("ACK", "ACK")
	bye := s.phone.expect("BYE", "BYE")
	require.Len(t, s.edge.Legs(), 1)
	s.phone.respond(bye, 200, "OK", "", "")
	var e *call.RingError
	require.ErrorAs(t, next(t, out).err, &e)
	require.False(t, e.Unsure)
	s.free(t)
}

// TestThroughEdgeUnsure: a phone that says nothing after a CANCEL may yet ring.
func TestThroughEdgeUnsure(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", func(o *Options) { o.T1 = 10 * time.Millisecond })
	ctx, cancel := context.WithCancel(t.Context())
	codes := make(chan int, 4)
	out := s.rings(ctx, s.owner, s.claim(), func(code int, _ time.Time) { codes <- code })
	inv := s.phone.expect("INVITE", "INVITE")
	s.phone.answers(inv, 180, "")
	next(t, codes)
	cancel()
	var e *call.RingError
	require.ErrorAs(t, next(t, out).err, &e)
	require.True(t, e.Unsure)
	require.Len(t, s.edge.Legs(), 1)
	go func() { // the member's deed for an orphan
		_ = s.edge.End(t.Context(), "8001", call.Token{Epoch: 1, N: 1})
	}()
	s.free(t)
}

// TestThroughEdgeInDialog: requests pass both ways, with their answers.
func TestThroughEdgeInDialog(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, network string) {
		t.Helper()
		s := newSiteRig(t, network, func(o *Options) { o.Queues = []string{"repair"} })
		inv, leg := s.talks(t)
		commands := make(chan call.Command, 8)
		leg.Attach(func(c call.Command) bool { commands <- c; return true })
		s.phone.inDialog(inv, "INVITE", 1, sdpHold, sdpHeader)
		held, err := next(t, commands).(call.Reoffered).Accept()
		require.NoError(t, err)
		require.True(t, held)
		s.phone.settle(s.phone.status("INVITE", 200))
		s.phone.inDialog(inv, "ACK", 1, "")
		require.Eventually(t, func() bool {
			l := s.owner.legs.all()[0]
			l.mu.Lock()
			defer l.mu.Unlock()
			return len(l.acks) == 0
		}, testWait, time.Millisecond)
		s.phone.inDialog(inv, "OPTIONS", 2, "")
		s.phone.status("OPTIONS", 200)
		s.phone.inDialog(inv, "UPDATE", 3, "")
		s.phone.status("UPDATE", 200)
		s.phone.inDialog(inv, "INFO", 4, "Signal=5", "Content-Type: application/dtmf-relay")
		s.phone.status("INFO", 200)
		require.Equal(t, "5", next(t, commands).(call.KeyPressed).Key.String())
		s.phone.inDialog(inv, "REFER", 5, "", "Refer-To: <sip:repair@hotline>")
		asked := next(t, commands).(call.Referred)
		require.Equal(t, call.Next{Kind: call.Wait, Queue: "repair"}, asked.To)
		asked.Referral.Accept()
		s.phone.status("REFER", 202)
		notify := s.phone.expect("NOTIFY", "NOTIFY")
		s.phone.respond(notify, 200, "OK", "", "")
		leg.Mend()
		re := s.phone.expect("INVITE sip:8001@"+s.phone.addr(), "INVITE")
		require.Empty(t, re.headers["record-route"])
		s.phone.respond(re, 200, "OK", "", sdpGood)
		s.phone.expect("ACK", "ACK")
		s.phone.inDialog(inv, "BYE", 6, "")
		s.phone.status("BYE", 200)
		ended(t, leg)
		s.free(t)
	})
}

// TestThroughEdgePrack: reliable 18x are acknowledged in their early dialog, by way of the edge.
func TestThroughEdgePrack(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", nil)
	out := s.rings(t.Context(), s.owner, s.claim(), nil)
	inv := s.phone.expect("INVITE", "INVITE")
	s.phone.answers(inv, 183, "", "Require: 100rel", "RSeq: 7")
	prack := s.phone.expect("PRACK sip:8001@"+s.phone.addr(), "PRACK")
	require.Contains(t, prack.header("rack"), "7 ")
	s.phone.respond(prack, 200, "OK", "", "")
	s.phone.answers(inv, 200, sdpGood)
	s.phone.expect("ACK", "ACK")
	leg := next(t, out).leg
	s.phone.inDialog(inv, "BYE", 1, "")
	s.phone.status("BYE", 200)
	ended(t, leg)
}
