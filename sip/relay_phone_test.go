package sip

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestTCPPhoneLoss: what a phone behind TCP says once reaches an owner behind UDP, where it may be lost.
func TestTCPPhoneLoss(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "tcp", func(o *Options) { o.T1 = 10 * time.Millisecond })
	o := s.rawOwner(t)
	sent, inv := o.offers()
	o.write(sent) // the phone had it
	s.phone.answers(inv, 486, "")
	first := o.status("INVITE", 486)
	require.Equal(t, first.raw, o.status("INVITE", 486).raw, "until its ACK")
	o.write(strings.Replace(o.message("ACK", o.branch, ""), "To: <sip:8001@owner>", "To: <sip:8001@owner>;tag=ph1", 1))
	s.phone.expect("ACK", "ACK")
	s.phone.silence(0, "INVITE")

	o = s.rawOwner(t)
	inv, ok := o.talking()
	s.phone.inDialog(inv, "INFO", 1, "")
	info := o.expect("INFO", "INFO")
	require.Equal(t, info.raw, o.expect("INFO", "INFO").raw, "until its answer")
	o.respond(info, 200, "OK", "", "")
	s.phone.status("INFO", 200)
	o.within(ok, "OPTIONS", 3)
	options := s.phone.expect("OPTIONS", "OPTIONS")
	s.phone.respond(options, 200, "OK", "", "")
	o.status("OPTIONS", 200)
}

// TestPhoneMoves: a phone that registers anew from elsewhere while it talks is reached there, and may speak from there.
func TestPhoneMoves(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", nil)
	inv, leg := s.talks(t)
	moved := newPeer(t, "udp", s.edge.udp())
	k := moved.dialog("8001")
	k.callID = registerCallID(s.phone.lastRegister)
	k.seq = 100
	moved.enlist(k)
	moved.inDialog(inv, "OPTIONS", 1, "")
	moved.status("OPTIONS", 200)
	leg.Hangup(call.CauseBye)
	moved.respond(moved.expect("BYE", "BYE"), 200, "OK", "", "")
	s.free(t)
}

func registerCallID(register string) string {
	_, id, _ := strings.Cut(register, "Call-ID: ")
	id, _, _ = strings.Cut(id, "\r\n")
	return id
}

// TestPhoneYielded: a phone that has registered at another node while it talks goes on by way of this one.
func TestPhoneYielded(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", nil)
	inv, leg := s.talks(t)
	past := s.edge.Yield("8001")
	require.Equal(t, inv.header("call-id"), past.Leg.Dialog)
	require.Equal(t, call.Token{Epoch: 1, N: 1}, past.Highest)
	s.phone.inDialog(inv, "INFO", 1, "")
	s.phone.status("INFO", 200)
	leg.Hangup(call.CauseBye)
	s.phone.respond(s.phone.expect("BYE", "BYE"), 200, "OK", "", "")
	s.free(t)
	next1 := s.edge.Legs()
	require.Empty(t, next1)
	s.edge.Seed(call.GatePast{Agent: "8001"})
	require.Equal(t, call.CauseUnreachable, s.refused(t, s.owner, s.claim()).Why)
}

// TestSeededLeg: a phone that comes while it talks by way of another edge is offered nothing until that is over.
func TestSeededLeg(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", nil)
	s.edge.Hold("8001")
	s.edge.Seed(call.GatePast{Agent: "8001", Leg: &call.GateLeg{Dialog: "far", Token: call.Token{Epoch: 1, N: 3}}})
	s.n = 5
	require.Equal(t, call.CauseTaken, s.refused(t, s.owner, s.claim()).Why)
	s.edge.Free("8001", "other")
	require.Equal(t, call.CauseTaken, s.refused(t, s.owner, s.claim()).Why)
	s.edge.Free("8001", "far")
	_, leg := s.talks(t)
	leg.Hangup(call.CauseBye)
	s.phone.respond(s.phone.expect("BYE", "BYE"), 200, "OK", "", "")
	s.free(t)
}

// TestDialledLeg: a call that the phone makes itself closes its gate, and is told with its flow.
func TestDialledLeg(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 1)
	s := newSiteRig(t, "udp", func(o *Options) {
		o.OnIncoming = untilOver(legs)
		o.Codes = []string{"*22"}
	})
	before := s.edge.Flows()
	require.Len(t, before, 1)
	require.Equal(t, "8001", before[0].Agent)
	require.WithinDuration(t, time.Now(), before[0].Since, testWait)
	k := s.phone.inviteAsAgent("*22")
	k.ack(s.phone.status("INVITE", 200), "")
	l := next(t, legs)
	require.Equal(t, 1, s.edge.Flows()[0].Legs)
	require.Equal(t, call.CauseTaken, s.refused(t, s.owner, s.claim()).Why)
	past, ok := s.edge.Past("8001")
	require.True(t, ok)
	require.Empty(t, past.Leg.Call)
	l.Hangup(call.CauseBye)
	s.phone.respond(s.phone.expect("BYE", "BYE"), 200, "OK", "", "")
	s.free(t)
	require.Zero(t, s.edge.Flows()[0].Legs)
}

// TestDrainMovesPhones: a node that drains sends phones on, as long as there is another, and keeps those it has.
func TestDrainMovesPhones(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", nil)
	s.edge.Drain()
	s.phone.enlist(s.phone.dialog("8001")) // there is nobody else
	s.moves.Store(true)
	k := s.phone.dialog("8001")
	k.seq++
	s.phone.write(s.phone.lastRegister)
	msg := s.phone.lastRegister
	_, rest, _ := strings.Cut(msg, "CSeq: ")
	number, _, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(number)
	require.NoError(t, err)
	msg = strings.Replace(msg, "CSeq: "+number, "CSeq: "+strconv.Itoa(n+1), 1)
	s.phone.write(strings.Replace(msg, "branch=z9hG4bK", "branch=z9hG4bKx", 1))
	w := s.phone.expect("SIP/2.0 ", "REGISTER")
	for !strings.Contains(w.start, "503") && !strings.Contains(w.start, "401") {
		w = s.phone.expect("SIP/2.0 ", "REGISTER")
	}
	require.Empty(t, w.header("retry-after"))
	require.Len(t, s.edge.Flows(), 1)
}

// TestSiteOptions: what is wrong is said before anything is bound.
func TestSiteOptions(t *testing.T) {
	t.Parallel()
	good := SiteOptions{
		Listen: netip.MustParseAddrPort("127.0.0.1:0"), Secret: siteSecret, Self: func() call.NodeID { return "a.1" },
		Lease: time.Now, MovesOn: func() bool { return false },
	}
	require.NoError(t, good.check())
	short := good
	short.Secret = siteSecret[:31]
	require.ErrorContains(t, short.check(), "31 octets")
	short = good
	short.Self = nil
	require.Error(t, short.check())
	_, err := New(Options{Engine: &fakeEngine{}, Site: &short})
	require.Error(t, err)
}

// TestAlone: without a site the edge's methods know of nothing.
func TestAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	require.Empty(t, r.Flows())
	require.Empty(t, r.Legs())
	require.Empty(t, r.Held())
	require.False(t, r.SiteAddr().IsValid())
	_, ok := r.Past("8001")
	require.False(t, ok)
	_, ok = r.Next("8001", call.Token{})
	require.False(t, ok)
	require.Equal(t, call.GatePast{Agent: "8001"}, r.Yield("8001"))
	require.True(t, r.Refuse("8001", call.Token{Epoch: 1, N: 1}))
	require.NoError(t, r.End(t.Context(), "8001", call.Token{Epoch: 1, N: 1}))
	r.Seed(call.GatePast{Agent: "8001"})
	r.Free("8001", "x")
	r.Hold("8001")
}
