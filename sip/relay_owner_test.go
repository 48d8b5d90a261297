package sip

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

// rawOwner is a node of literal messages.
type rawOwner struct {
	*peer
	s      *siteRig
	callID string
	branch string
	seq    int
}

func (s *siteRig) rawOwner(t *testing.T) *rawOwner {
	t.Helper()
	return &rawOwner{peer: newPeer(t, "udp", s.edge.SiteAddr()), s: s, callID: newID(), branch: newBranch(), seq: 1}
}

// message is a request outside any dialog to 8001's edge.
func (o *rawOwner) message(method, branch string, body string, extra ...string) string {
	lines := []string{
		fmt.Sprintf("%s sip:8001@%s SIP/2.0", method, o.to),
		fmt.Sprintf("Via: SIP/2.0/UDP %s;branch=%s", o.addr(), branch), "Max-Forwards: 70",
		"From: <sip:13900001234@owner>;tag=own1", "To: <sip:8001@owner>", "Call-ID: " + o.callID,
		fmt.Sprintf("CSeq: %d %s", o.seq, method), fmt.Sprintf("Contact: <sip:hotline@%s>", o.addr()),
	}
	lines = append(lines, extra...)
	lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)))
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

// claims is the claim of the next token; change, if not nil, changes it before it is signed.
func (o *rawOwner) claims(change func(h *claimHeader)) string {
	o.s.n++
	h := claimHeader{
		token: call.Token{Epoch: 1, N: o.s.n}, edge: "edge.1", owner: "raw.1", call: "c 1;x", within: 3 * time.Second,
		dialog: o.callID, tag: "own1", seq: uint32(o.seq), agent: "8001", sentBy: o.addr(),
	}
	if change != nil {
		change(&h)
	}
	return headerClaim + ": " + h.signed(siteSecret)
}

// offers sends an INVITE, and returns it as the phone sees it.
func (o *rawOwner) offers() (sent string, inv wire) {
	sent = o.message("INVITE", o.branch, sdpGood, sdpHeader, o.claims(nil))
	o.write(sent)
	return sent, o.s.phone.expect("INVITE", "INVITE")
}

// talking is a leg that this owner has at the phone.
func (o *rawOwner) talking() (inv, ok wire) {
	_, inv = o.offers()
	o.s.phone.answers(inv, 200, sdpGood)
	ok = o.status("INVITE", 200)
	o.within(ok, "ACK", o.seq)
	o.s.phone.expect("ACK", "ACK")
	return inv, ok
}

// within sends a request in the dialog of a 2xx.
func (o *rawOwner) within(ok wire, method string, seq int) {
	msg := o.message(method, newBranch(), "")
	msg = strings.Replace(msg, fmt.Sprintf("sip:8001@%s", o.to), strings.Trim(ok.header("contact"), "<>"), 1)
	msg = strings.Replace(msg, "To: <sip:8001@owner>", "To: "+ok.header("to"), 1)
	msg = strings.Replace(msg, fmt.Sprintf("CSeq: %d ", o.seq), fmt.Sprintf("CSeq: %d ", seq), 1)
	routes := ""
	for _, r := range ok.headers["record-route"] {
		routes = "Route: " + r + "\r\n" + routes
	}
	o.write(strings.Replace(msg, "Max-Forwards", routes+"Max-Forwards", 1))
}

// TestClaimForged: whatever is not signed for exactly this INVITE, by who sends it, rings nothing and costs no token.
func TestClaimForged(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", nil)
	forged := map[string]func(h *claimHeader){
		"call id": func(h *claimHeader) { h.dialog = "other" }, "from": func(h *claimHeader) { h.tag = "x" },
		"seq":    func(h *claimHeader) { h.seq++ },
		"sender": func(h *claimHeader) { h.sentBy = "127.0.0.1:1" },
		"name":   func(h *claimHeader) { h.sentBy = "example.com:5060" },
	}
	for name, change := range forged {
		o := s.rawOwner(t)
		o.write(o.message("INVITE", o.branch, sdpGood, sdpHeader, o.claims(change)))
		require.Equal(t, "claim", o.status("INVITE", 403).header(headerRefused), name)
	}
	for name, change := range map[string]func(claim string) string{
		"token":  func(c string) string { return strings.Replace(c, ": 1.", ": 2.", 1) },
		"agent":  func(c string) string { return strings.Replace(c, "agent=8001", "agent=8002", 1) },
		"owner":  func(c string) string { return strings.Replace(c, "raw.1", "raw.2", 1) },
		"within": func(c string) string { return strings.Replace(c, "within=3000", "within=9000", 1) },
		"no mac": func(c string) string { return c[:strings.Index(c, ";mac=")] },
		"empty":  func(string) string { return headerClaim + ": " },
	} {
		o := s.rawOwner(t)
		o.write(o.message("INVITE", o.branch, sdpGood, sdpHeader, change(o.claims(nil))))
		require.Equal(t, "claim", o.status("INVITE", 403).header(headerRefused), name)
	}
	o := s.rawOwner(t)
	o.write(o.message("INVITE", newBranch(), sdpGood, sdpHeader)) // none at all
	o.status("INVITE", 403)
	require.Equal(t, 11, int(testutil.ToFloat64(s.edge.metrics.gates.WithLabelValues(gateForged))))
	past, _ := s.edge.Past("8001")
	require.Zero(t, past.Highest)
	s.phone.silence(0, "INVITE")

	p := newPeer(t, "udp", s.edge.udp()) // the other doors know no claims
	o.peer = p
	p.write(strings.ReplaceAll(o.message("INVITE", newBranch(), sdpGood, sdpHeader, o.claims(nil)), "sip:8001@", "sip:nobody@"))
	p.status("INVITE", 404)
}

// TestClaimRepeated: the INVITE of an owner that repeats it goes to the phone as the same, until its deadline; a
// repetition of one that is over rings nothing.
func TestClaimRepeated(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", nil)
	o := s.rawOwner(t)
	sent, inv := o.offers()
	o.write(sent)
	require.Equal(t, inv.raw, s.phone.expect("INVITE", "INVITE").raw)
	s.phone.answers(inv, 486, "")
	busy := o.status("INVITE", 486)
	s.free(t)
	o.write(sent)
	require.Equal(t, busy.raw, o.status("INVITE", 486).raw, "as it was answered")
	require.Len(t, s.edge.site.relays.byKey, 1)
	for _, r := range s.edge.site.relays.byKey {
		s.edge.site.relays.forget(r)
	}
	require.Empty(t, s.edge.site.relays.byKey)
	o.write(sent)
	require.Equal(t, "1.1", o.status("INVITE", 486).header(headerHighest), "replayed when all is forgotten")
	s.phone.silence(0, "INVITE")
}

// TestClaimLate: a repetition does not leave after the deadline, which counts from the first.
func TestClaimLate(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", nil)
	o := s.rawOwner(t)
	sent, inv := o.offers()
	r := s.edge.site.relays.with(o.callID)
	r.mu.Lock()
	require.False(t, r.until.After(time.Now().Add(3*time.Second)), "no longer than the claim says")
	r.until = time.Now()
	r.mu.Unlock()
	o.write(sent)
	o.write(o.message("OPTIONS", newBranch(), "")) // read after it, and refused
	o.status("OPTIONS", 403)
	s.phone.answers(inv, 486, "")
	o.status("INVITE", 486)
	s.phone.silence(0, "INVITE")
	lease := time.Now()
	s.lease.Store(&lease)
	o = s.rawOwner(t)
	o.write(o.message("INVITE", o.branch, sdpGood, sdpHeader, o.claims(nil)))
	require.Equal(t, "late", o.status("INVITE", 430).header(headerRefused))
}

// TestEndRinging: an offer whose owner is dead is taken back by the edge, which acknowledges what the phone says to it.
func TestEndRinging(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, network string) {
		t.Helper()
		for _, first := range []bool{true, false} { // whether the phone has responded when the edge is to end it
			s := newSiteRig(t, network, nil)
			_, inv := s.rawOwner(t).offers()
			done := make(chan error, 1)
			end := func() { go func() { done <- s.edge.End(t.Context(), "8001", call.Token{Epoch: 1, N: 1}) }() }
			if first {
				s.phone.answers(inv, 180, "")
				require.Eventually(t, func() bool { return !s.edge.Legs()[0].Rung.IsZero() }, testWait, time.Millisecond)
				end()
			} else {
				end()
				require.Eventually(t, func() bool {
					r := s.edge.site.relays.with(inv.header("call-id"))
					r.mu.Lock()
					defer r.mu.Unlock()
					return r.ending
				}, testWait, time.Millisecond)
				s.phone.answers(inv, 180, "")
			}
			c := s.phone.expect("CANCEL "+strings.Fields(inv.start)[1], "CANCEL")
			require.Equal(t, inv.header("via"), c.header("via"))
			s.phone.respond(c, 200, "OK", "ph1", "")
			require.Empty(t, done, "the phone has not said that it is free")
			s.phone.answers(inv, 487, "")
			require.Equal(t, inv.header("via"), s.phone.expect("ACK", "ACK").header("via"))
			require.NoError(t, next(t, done))
			require.Empty(t, s.edge.Legs())
		}
	})
}

// TestEndCrossed: a phone that answers while it is being taken back is hung up.
func TestEndCrossed(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", nil)
	_, inv := s.rawOwner(t).offers()
	s.phone.answers(inv, 180, "")
	require.Eventually(t, func() bool { return !s.edge.Legs()[0].Rung.IsZero() }, testWait, time.Millisecond)
	done := make(chan error, 1)
	go func() { done <- s.edge.End(t.Context(), "8001", call.Token{Epoch: 1, N: 1}) }()
	s.phone.respond(s.phone.expect("CANCEL", "CANCEL"), 200, "OK", "ph1", "")
	s.phone.answers(inv, 200, sdpGood)
	ack := s.phone.expect("ACK sip:8001@"+s.phone.addr(), "ACK")
	require.Equal(t, "ph1", ack.tag("to"))
	bye := s.phone.expect("BYE sip:8001@"+s.phone.addr(), "BYE")
	require.Equal(t, "own1", bye.tag("from"))
	s.phone.respond(bye, 200, "OK", "", "")
	require.NoError(t, next(t, done))
}

// TestEndTalking: a leg whose owner is dead is ended on both sides, in the dialog as it stands.
func TestEndTalking(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, network string) {
		t.Helper()
		s := newSiteRig(t, network, nil)
		o := s.rawOwner(t)
		_, ok := o.talking()
		o.within(ok, "INFO", 7)
		s.phone.respond(s.phone.expect("INFO", "INFO"), 200, "OK", "", "")
		o.status("INFO", 200)
		done := make(chan error, 1)
		go func() { done <- s.edge.End(t.Context(), "8001", call.Token{Epoch: 1, N: 1}) }()
		bye := s.phone.expect("BYE sip:8001@"+s.phone.addr(), "BYE")
		require.Equal(t, "8 BYE", bye.header("cseq"), "above all that the owner sent")
		require.Equal(t, "ph1", bye.tag("to"))
		require.Equal(t, "own1", bye.tag("from"))
		require.Equal(t, o.callID, bye.header("call-id"))
		theirs := o.expect("BYE sip:hotline@"+o.addr(), "BYE")
		require.Equal(t, "ph1", theirs.tag("from"))
		o.respond(theirs, 200, "OK", "", "")
		s.phone.respond(bye, 200, "OK", "", "")
		require.NoError(t, next(t, done))
		require.NoError(t, s.edge.End(t.Context(), "8001", call.Token{Epoch: 1, N: 1}), "no such leg any more")
		require.True(t, s.edge.Refuse("8001", call.Token{Epoch: 1, N: 1}))
	})
}

// TestCloseEndsRelayed: a node that ends hangs up, on both sides, what passes through it, takes back what rings by it, and
// lets nothing more in.
func TestCloseEndsRelayed(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", nil)
	require.Zero(t, s.edge.Relayed())
	o := s.rawOwner(t)
	o.talking()
	require.Equal(t, 1, s.edge.Relayed())
	closed := make(chan error, 1)
	go func() { closed <- s.edge.Close() }()
	bye := s.phone.expect("BYE", "BYE")
	theirs := o.expect("BYE", "BYE")
	e := s.refused(t, s.owner, s.claim())
	require.Equal(t, call.CauseUnreachable, e.Why)
	o.respond(theirs, 200, "OK", "", "")
	select {
	case err := <-closed:
		t.Fatalf("the phone has not hung up yet: %v", err)
	default:
	}
	s.phone.respond(bye, 200, "OK", "", "")
	require.NoError(t, next(t, closed))
	require.Zero(t, s.edge.Relayed())
}

// TestEndOwn: of a leg that is this node's own, ringing and talking; and what ctx bounds.
func TestEndOwn(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", nil)
	here := func() *call.RingClaim {
		c := s.claim()
		c.Via = ""
		return c
	}
	out := s.rings(t.Context(), s.edge, here(), nil)
	inv := s.phone.expect("INVITE", "INVITE")
	s.phone.respond(inv, 180, "Ringing", "a", "")
	require.Eventually(t, func() bool { return !s.edge.Legs()[0].Rung.IsZero() }, testWait, time.Millisecond)
	short, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.edge.End(short, "8001", call.Token{Epoch: 1, N: 1}), context.Canceled)
	s.phone.respond(s.phone.expect("CANCEL", "CANCEL"), 200, "OK", "a", "")
	s.phone.respond(inv, 487, "Terminated", "a", "")
	require.Error(t, next(t, out).err)
	s.free(t)
	out = s.rings(t.Context(), s.edge, here(), nil)
	inv = s.phone.expect("INVITE", "INVITE")
	s.phone.respond(inv, 200, "OK", "a", sdpGood)
	leg := next(t, out).leg
	done := make(chan error, 1)
	go func() { done <- s.edge.End(t.Context(), "8001", call.Token{Epoch: 1, N: 2}) }()
	s.phone.respond(s.phone.expect("BYE", "BYE"), 200, "OK", "", "")
	require.NoError(t, next(t, done))
	ended(t, leg)
}

// TestOwnerOutOfReach: an owner is told that its phone has hung up until it says that it heard, for far longer than the phone
// waits, or a transaction lasts; then the leg is forgotten.
func TestOwnerOutOfReach(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", func(o *Options) { o.T1 = 10 * time.Millisecond })
	o := s.rawOwner(t)
	inv, _ := o.talking()
	s.phone.inDialog(inv, "BYE", 1, "")
	s.phone.status("BYE", 200)
	s.free(t)
	var bye wire
	for range 2*ackWithin/resendMost + 4 { // in twice 64·T1
		bye = o.expect("BYE", "BYE")
	}
	require.NotNil(t, s.edge.site.relays.with(o.callID))
	o.respond(bye, 200, "OK", "", "")
	require.Eventually(t, func() bool { return s.edge.site.relays.with(o.callID) == nil }, testWait, time.Millisecond)
}

// TestOwnerDead: a phone that hangs up is answered though its owner does not, and is free at once.
func TestOwnerDead(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, network string) {
		t.Helper()
		s := newSiteRig(t, network, func(o *Options) { o.T1 = 10 * time.Millisecond })
		o := s.rawOwner(t)
		inv, _ := o.talking()
		s.phone.inDialog(inv, "BYE", 1, "")
		s.phone.status("BYE", 200)
		s.free(t)
		for range 2 { // it is repeated for the owner, who may hear yet
			o.expect("BYE", "BYE")
		}
	})
}

// TestOwnerNoRoute: so is it where not even a packet can be sent to its owner.
func TestOwnerNoRoute(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", func(o *Options) { o.T1 = 10 * time.Millisecond })
	o := s.rawOwner(t)
	inv, _ := o.talking()
	relay := s.edge.site.relays.with(o.callID)
	relay.mu.Lock()
	relay.owner = netip.MustParseAddrPort("[2001:db8::1]:5060") // of no family that the door has
	relay.mu.Unlock()
	s.phone.inDialog(inv, "BYE", 1, "")
	s.phone.status("BYE", 200)
	s.free(t)
}
