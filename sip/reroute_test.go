package sip

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"hotline/call"
)

// heirRig is a site whose edge is dead while 8001 talks, and has registered at another node.
type heirRig struct {
	*siteRig
	heir  *rig
	moved *peer // the phone there
	inv   wire
	leg   call.Leg
}

func (h *heirRig) reroutes() {
	h.leg.(interface{ Reroute(door string) }).Reroute(h.heir.SiteAddr().String())
}

func (h *heirRig) settled() <-chan struct{} {
	return h.leg.(interface{ Settled() <-chan struct{} }).Settled()
}

// past is the leg as the nodes tell each other of it.
func (h *heirRig) past() call.GatePast {
	return call.GatePast{Agent: "8001", Leg: &call.GateLeg{
		Agent: "8001", Dialog: h.leg.(interface{ Dialog() string }).Dialog(), Call: "c1", Owner: "owner.1", Token: call.Token{Epoch: 1, N: 1},
	}}
}

// registers has the phone register at the heir, whose gate is seeded with the leg.
func (h *heirRig) registers(t *testing.T, network string) {
	t.Helper()
	to := h.heir.udp()
	if network == "tcp" {
		to = h.heir.tcp()
	}
	h.moved = newPeer(t, network, to)
	h.moved.register(h.heir)
	h.heir.Seed(h.past())
}

// kill ends the edge as if it were killed: it says goodbye to nobody.
func (h *heirRig) kill(t *testing.T) {
	t.Helper()
	rs := h.edge.site.relays
	rs.close()
	rs.mu.Lock()
	clear(rs.byKey)
	clear(rs.byCall)
	rs.live.Store(0)
	rs.mu.Unlock()
	require.NoError(t, h.edge.Close())
}

func newHeirRig(t *testing.T, network string, change func(o *Options)) *heirRig {
	t.Helper()
	h := &heirRig{siteRig: newSiteRig(t, network, change)}
	h.inv, h.leg = h.talks(t)
	h.kill(t)
	h.heir = h.newNode(t, "heir.1", change)
	return h
}

// heirClaim is the next claim on 8001 by way of the heir.
func (h *heirRig) heirClaim() *call.RingClaim {
	c := h.claim()
	c.Edge, c.Via = "heir.1", h.heir.SiteAddr().String()
	return c
}

// offered waits until the heir offers the phone again, and has it answer.
func (h *heirRig) offered(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return len(h.heir.Legs()) == 0 }, testWait, time.Millisecond)
	out := h.rings(t.Context(), h.owner, h.heirClaim(), nil)
	h.moved.answers(h.moved.expect("INVITE", "INVITE"), 486, "")
	var e *call.RingError
	require.ErrorAs(t, next(t, out).err, &e)
	require.Equal(t, call.CauseBusy, e.Why)
}

// TestReroute: the edge of a talk dies, the phone registers at another node, and the talk goes on by way of that one, in both
// directions, until one side ends it. The phone is offered nothing before.
func TestReroute(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"udp", "tcp"} {
		for _, by := range []string{"owner", "phone", "heir"} {
			t.Run(network+", ended by "+by, func(t *testing.T) {
				t.Parallel()
				h := newHeirRig(t, network, nil)
				h.registers(t, network)
				h.reroutes()
				again := h.moved.expect("INVITE", "INVITE") // a sign of life
				require.Equal(t, h.inv.header("call-id"), again.header("call-id"))
				require.NotContains(t, strings.ToLower(again.raw), "hotline-leg", "what nodes tell each other is not the phone's")
				require.Empty(t, again.headers["route"], "the dead node is on the way no more")
				h.moved.respond(again, 200, "OK", "", sdpGood, sdpHeader, "Contact: <sip:8001@"+h.moved.addr()+">")
				h.moved.expect("ACK", "ACK")
				require.Equal(t, call.CauseTaken, h.refused(t, h.owner, h.heirClaim()).Why, "it talks")
				require.Len(t, h.heir.Legs(), 1)

				h.moved.inDialog(h.inv, "INFO", 1, "") // by its route, which leads through the dead node
				h.moved.status("INFO", 200)
				switch by {
				case "owner":
					h.leg.Hangup(call.CauseBye)
					h.moved.respond(h.moved.expect("BYE", "BYE"), 200, "OK", "", "")
				case "phone":
					h.moved.inDialog(h.inv, "BYE", 2, "")
					h.moved.status("BYE", 200)
					ended(t, h.leg)
				case "heir":
					over := make(chan error, 1)
					go func() { over <- h.heir.End(t.Context(), "8001", call.Token{Epoch: 1, N: 1}) }()
					h.moved.respond(h.moved.expect("BYE", "BYE"), 200, "OK", "", "")
					require.NoError(t, next(t, over))
					ended(t, h.leg)
				}
				next(t, h.settled())
				h.offered(t)
			})
		}
	}
}

// TestRerouteLate: the caller hangs up while the edge is dead and the phone nowhere; it is told when it registers again, and its
// answer, whichever, is what ends the wait.
func TestRerouteLate(t *testing.T) {
	t.Parallel()
	for _, code := range []int{200, 481} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			h := newHeirRig(t, "udp", nil)
			h.leg.Hangup(call.CauseBye)
			h.reroutes() // too early: the heir does not know the phone
			unsettled(t, h, 50*time.Millisecond)
			h.registers(t, "udp")
			require.Equal(t, call.CauseTaken, h.refused(t, h.owner, h.heirClaim()).Why)
			h.reroutes()
			bye := h.moved.expect("BYE", "BYE")
			unsettled(t, h, 0)
			require.Equal(t, call.CauseTaken, h.refused(t, h.owner, h.heirClaim()).Why, "it has not answered")
			h.moved.respond(bye, code, "X", "", "")
			next(t, h.settled())
			h.offered(t)
		})
	}
}

func unsettled(t *testing.T, h *heirRig, d time.Duration) {
	t.Helper()
	select {
	case <-h.settled():
		require.Fail(t, "the phone has not answered the BYE")
	case <-time.After(d):
	}
}

// TestEdgeBegunAnew: a node that has begun anew at the dead one's address knows of no leg, which is not the phone's word.
func TestEdgeBegunAnew(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", nil)
	h := &heirRig{siteRig: s}
	h.inv, h.leg = s.talks(t)
	at := s.edge.SiteAddr()
	h.kill(t)
	h.heir = s.newNode(t, "heir.1", func(o *Options) { o.Site.Listen = at })
	h.leg.Hangup(call.CauseBye)
	unsettled(t, h, 100*time.Millisecond)
	h.registers(t, "udp")
	h.reroutes()
	h.moved.respond(h.moved.expect("BYE", "BYE"), 200, "OK", "", "")
	next(t, h.settled())
	h.offered(t)
}

// TestRerouteHere: the phone has come to the owner itself.
func TestRerouteHere(t *testing.T) {
	t.Parallel()
	h := newHeirRig(t, "udp", nil)
	h.heir = h.owner
	h.registers(t, "udp")
	h.reroutes()
	h.moved.respond(h.moved.expect("INVITE", "INVITE"), 200, "OK", "", sdpGood, sdpHeader, "Contact: <sip:8001@"+h.moved.addr()+">")
	h.moved.expect("ACK", "ACK")
	h.moved.inDialog(h.inv, "INFO", 1, "")
	h.moved.status("INFO", 200)
	h.leg.Hangup(call.CauseBye)
	h.moved.respond(h.moved.expect("BYE", "BYE"), 200, "OK", "", "")
	next(t, h.settled())
	require.Eventually(t, func() bool { return len(h.owner.Legs()) == 0 }, testWait, time.Millisecond)
}

// TestLegForged: nobody but a node, for this very request and from where it is, reaches a phone so, and nobody but the phone that
// is registered its owner.
func TestLegForged(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", nil)
	o := s.rawOwner(t)
	sign := func(method string, change func(h *legHeader)) string {
		h := legHeader{
			legOwner: legOwner{Token: call.Token{Epoch: 1, N: 1}, Owner: "raw.1", Call: "c 1;x"}, agent: "8001",
			method: method, dialog: o.callID, from: "own1", to: "ph1", seq: uint32(o.seq), sentBy: o.addr(),
		}
		change(&h)
		return headerLeg + ": " + h.signed(siteSecret)
	}
	request := func(method, header string) {
		msg := o.message(method, newBranch(), "", header)
		o.write(strings.Replace(msg, "To: <sip:8001@owner>", "To: <sip:8001@owner>;tag=ph1", 1))
	}
	for name, change := range map[string]func(h *legHeader){
		"method": func(h *legHeader) { h.method = "INFO" }, "dialog": func(h *legHeader) { h.dialog += "x" },
		"from": func(h *legHeader) { h.from += "x" }, "to": func(h *legHeader) { h.to = "" }, "seq": func(h *legHeader) { h.seq++ },
		"sender": func(h *legHeader) { h.sentBy = s.phone.addr() },
	} {
		request("BYE", sign("BYE", change))
		require.Equal(t, "leg", o.status("BYE", 403).header(headerRefused), name)
	}
	request("BYE", headerLeg+": 1.1;owner=raw.1;call=c;agent=8001;mac="+strings.Repeat("0", 64))
	o.status("BYE", 403)
	request("BYE", sign("BYE", func(h *legHeader) { h.agent = "8002" }))
	require.Equal(t, "gone", o.status("BYE", 430).header(headerRefused))
	require.Empty(t, s.edge.Legs())

	request("INFO", sign("INFO", func(*legHeader) {}))
	info := s.phone.expect("INFO", "INFO")
	s.phone.respond(info, 200, "OK", "", "")
	o.status("INFO", 200)
	require.Len(t, s.edge.Legs(), 1)
	another := s.rawOwner(t)
	another.callID = o.callID
	h := legHeader{
		legOwner: legOwner{Token: call.Token{Epoch: 1, N: 1}, Owner: "other.1"}, agent: "8001", method: "BYE", dialog: o.callID,
		from: "own1", to: "ph1", seq: 1, sentBy: another.addr(),
	}
	msg := another.message("BYE", newBranch(), "", headerLeg+": "+h.signed(siteSecret))
	another.write(strings.Replace(msg, "To: <sip:8001@owner>", "To: <sip:8001@owner>;tag=ph1", 1))
	another.status("BYE", 430)

	byRoute := func(p *peer, from, to string) {
		p.write(strings.Join([]string{
			"INFO sip:x@" + o.addr() + " SIP/2.0", fmt.Sprintf("Via: SIP/2.0/UDP %s;rport;branch=%s", p.addr(), newBranch()),
			"Max-Forwards: 70", "From: <sip:8001@owner>;tag=" + from, "To: <sip:13900001234@owner>;tag=" + to,
			"Call-ID: " + o.callID, "CSeq: 7 INFO", "Route: <sip:" + relayMark + "DEAD@192.0.2.1;lr>", "Content-Length: 0", "", "",
		}, "\r\n"))
	}
	stranger := newPeer(t, "udp", s.edge.udp())
	byRoute(stranger, "ph1", "own1")
	stranger.status("INFO", 481)
	byRoute(s.phone, "ph2", "own1")
	s.phone.status("INFO", 481)
	byRoute(s.phone, "ph1", "own2")
	s.phone.status("INFO", 481)
	byRoute(s.phone, "ph1", "own1")
	o.respond(o.expect("INFO", "INFO"), 200, "OK", "", "")
	s.phone.status("INFO", 200)

	o.seq = 9
	request("BYE", sign("BYE", func(*legHeader) {}))
	s.phone.respond(s.phone.expect("BYE", "BYE"), 481, "Gone", "", "")
	o.status("BYE", 481)
	s.free(t)
}

// TestLegHeader: what is signed is read as it was, under that secret alone.
func TestLegHeader(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ -~äü;=%]{0,20}`)
		h := legHeader{
			legOwner: legOwner{
				Token: call.Token{Epoch: rapid.Uint64().Draw(t, "epoch"), N: rapid.Uint64Min(1).Draw(t, "n")},
				Owner: call.NodeID(text.Draw(t, "owner")), Call: text.Draw(t, "call"),
			},
			agent: text.Draw(t, "agent"), method: "BYE", dialog: text.Draw(t, "dialog"), from: text.Draw(t, "from"), to: text.Draw(t, "to"),
			seq: rapid.Uint32().Draw(t, "seq"), sentBy: "127.0.0.1:5060",
		}
		value := h.signed(siteSecret)
		require.NotContains(t, value, " ", "it stands in a header")
		read := legHeader{method: h.method, dialog: h.dialog, from: h.from, to: h.to, seq: h.seq, sentBy: h.sentBy}
		require.NoError(t, read.read(value, siteSecret))
		require.Equal(t, h, read)
		require.ErrorIs(t, read.read(value, append([]byte("x"), siteSecret...)), errClaimMAC)
		changed := []byte(value)
		changed[rapid.IntRange(0, len(value)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 4).Draw(t, "bit")
		if !strings.EqualFold(string(changed), value) { // hex may be in capitals
			require.Error(t, read.read(string(changed), siteSecret))
		}
	})
}

// FuzzLegHeader: nothing is believed, and nothing panics, that was not signed.
func FuzzLegHeader(f *testing.F) {
	h := legHeader{legOwner: legOwner{Token: call.Token{Epoch: 1, N: 2}, Owner: "b.1", Call: "c"}, agent: "8001"}
	f.Add(h.signed(siteSecret))
	f.Add("1.2;owner=b;call=c;agent=1;mac=" + strings.Repeat("0", 64))
	f.Add(";mac=")
	f.Fuzz(func(t *testing.T, value string) {
		if (&legHeader{}).read(value, []byte("another secret")) == nil {
			t.Error("believed")
		}
	})
}
