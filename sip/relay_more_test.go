package sip

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"hotline/call"
)

// TestGuard: once the deadline of a claim is over nothing of its INVITE leaves, neither to a phone here nor to another
// node, though the transaction would repeat it.
func TestGuard(t *testing.T) {
	t.Parallel()
	for _, remote := range []bool{false, true} {
		s := newSiteRig(t, "udp", nil)
		from, c := s.edge, s.claim()
		if remote {
			from = s.owner
		} else {
			c.Via = ""
		}
		ctx, cancel := context.WithCancel(t.Context())
		out := s.rings(ctx, from, c, nil)
		inv := s.phone.expect("INVITE", "INVITE")
		require.Equal(t, inv.raw, s.phone.expect("INVITE", "INVITE").raw, "it is repeated before that")
		from.guards.mu.Lock()
		for _, g := range from.guards.on {
			g.until = time.Now()
		}
		from.guards.mu.Unlock()
		s.phone.caughtUp()
		s.phone.silence(2*rigT1+2*rigT1/4, "INVITE") // the next is due after twice as long as the first
		cancel()
		s.phone.answers(inv, 486, "")
		var e *call.RingError
		require.ErrorAs(t, next(t, out).err, &e)
		require.False(t, e.Unsure)
		s.free(t)
	}
}

// TestGuardKnowsItsOwn: whatever a phone puts into its contact, the branch is read where sipgo writes it.
func TestGuardKnowsItsOwn(t *testing.T) {
	t.Parallel()
	g := newGuards()
	now := time.Now()
	one := g.put("z9hG4bK1", now.Add(time.Second))
	invite := []byte("INVITE sip:x;branch=z9hG4bK2@h SIP/2.0\r\nVia: SIP/2.0/UDP h:1;branch=z9hG4bK1;rport\r\n\r\n")
	require.False(t, g.holds(invite, now))
	require.True(t, one.sent.Load())
	require.True(t, g.holds(invite, now.Add(time.Second)), "at the deadline it is over")
	for _, other := range []string{
		"INVITE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h:1;branch=z9hG4bK3\r\n\r\n", "INVITE sip:x SIP/2.0\r\n\r\n",
		"BYE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h:1;branch=z9hG4bK1\r\n\r\n", "",
	} {
		require.False(t, g.holds([]byte(other), now.Add(time.Hour)), other)
	}
	g.drop("z9hG4bK1")
	require.False(t, g.holds(invite, now.Add(time.Hour)))
}

// TestEdgeDead: an owner whose edge says nothing is not sure of the phone.
func TestEdgeDead(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", func(o *Options) { o.T1 = 10 * time.Millisecond })
	dead := newPeer(t, "udp", s.owner.SiteAddr())
	c := s.claim()
	c.Via = dead.addr()
	ctx, cancel := context.WithCancel(t.Context())
	out := s.rings(ctx, s.owner, c, nil)
	inv := dead.expect("INVITE sip:8001@"+dead.addr(), "INVITE")
	require.Contains(t, inv.header(headerClaim), "1.1;edge=edge.1;owner=owner.1;agent=8001;call=c1;within=")
	cancel()
	var e *call.RingError
	require.ErrorAs(t, next(t, out).err, &e)
	require.True(t, e.Unsure)

	for _, via := range []string{"nowhere", "127.0.0.1", ":1"} {
		c.Via = via
		require.Equal(t, call.CauseUnreachable, s.refused(t, s.owner, c).Why, via)
	}
}

// TestEdgeUnheard: an edge that has said nothing at all for 4·T1 is not waited for once its ring is taken back: its agent is to be
// judged by it, and free for others, sooner.
func TestEdgeUnheard(t *testing.T) {
	t.Parallel()
	const t1 = time.Second
	s := newSiteRig(t, "udp", func(o *Options) { o.T1 = t1 })
	dead := newPeer(t, "udp", s.owner.SiteAddr())
	c := s.claim()
	c.Via = dead.addr()
	ctx, cancel := context.WithTimeout(t.Context(), heardWithin*t1)
	defer cancel()
	out := s.rings(ctx, s.owner, c, nil)
	<-ctx.Done()
	began := time.Now()
	var e *call.RingError
	require.ErrorAs(t, next(t, out).err, &e)
	require.True(t, e.Unsure)
	require.Less(t, time.Since(began), (freeWithin-1)*t1)
}

// TestEdgeRefuses: what an edge says of itself is not taken for the person's word.
func TestEdgeRefuses(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", nil)
	edge := newPeer(t, "udp", s.owner.SiteAddr())
	for line, want := range map[string]call.RingError{
		"Hotline-Refused: claim": {Why: call.CauseUnreachable, Code: 403},
		"Hotline-Highest: 7.3":   {Why: call.CauseTaken, Code: 486, Above: call.Token{Epoch: 7, N: 3}},
		"Hotline-Highest: x":     {Why: call.CauseTaken, Code: 486},
		"X: y":                   {Why: call.CauseUnreachable, Code: 408, Unsure: true},
	} {
		c := s.claim()
		c.Via = edge.addr()
		out := s.rings(t.Context(), s.owner, c, nil)
		edge.respond(edge.expect("INVITE", "INVITE"), want.Code, "No", "e", "", line)
		edge.expect("ACK", "ACK")
		var e *call.RingError
		require.ErrorAs(t, next(t, out).err, &e)
		e.At = time.Time{}
		require.Equal(t, want, *e, line)
	}
}

// TestPhoneSilent: a phone that does not answer a BYE is free when its time is over, and an offer that its owner has forgotten
// is taken back by the edge.
func TestPhoneSilent(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", func(o *Options) {
		o.T1 = 10 * time.Millisecond
		o.Site.Expires = time.Second
	})
	o := s.rawOwner(t)
	_, ok := o.talking()
	o.within(ok, "BYE", 2)
	s.phone.expect("BYE", "BYE")
	s.free(t)

	o = s.rawOwner(t)
	_, inv := o.offers()
	s.phone.answers(inv, 180, "")
	s.phone.respond(s.phone.expect("CANCEL", "CANCEL"), 200, "OK", "ph1", "")
	s.phone.answers(inv, 487, "")
	s.phone.expect("ACK", "ACK")
	o.status("INVITE", 487)
	s.free(t)

	_, inv = s.rawOwner(t).offers()
	done := make(chan error, 1)
	go func() { done <- s.edge.End(t.Context(), "8001", call.Token{Epoch: 1, N: s.n}) }()
	require.NoError(t, next(t, done), "a phone that never said anything")
	s.phone.settle(inv)
}

// TestPhoneComesBack: whoever registers anew, after it was elsewhere or gone, is held until Seed.
func TestPhoneComesBack(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", nil)
	s.phone.enlist(s.phone.dialog("8001"))
	require.Empty(t, s.edge.Held(), "it was here")
	s.edge.Yield("8001")
	require.Equal(t, "8001 false", next(t, s.edge.flows))
	require.Empty(t, s.edge.Held())
	s.phone.register(s.edge)
	require.Equal(t, []string{"8001"}, s.edge.Held())
	require.Equal(t, call.CauseTaken, s.refused(t, s.owner, s.claim()).Why)
	s.edge.Seed(call.GatePast{Agent: "8001"})
	put, err := s.edge.Reload(Settings{})
	require.NoError(t, err)
	put()
	_, known := s.edge.Past("8001")
	require.False(t, known, "an agent who is no more")
}

// TestClaimHeader: what is signed is read as it was, under that secret alone.
func TestClaimHeader(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ -~äü;=%]{0,20}`)
		h := claimHeader{
			token: call.Token{Epoch: rapid.Uint64().Draw(t, "epoch"), N: rapid.Uint64Min(1).Draw(t, "n")},
			edge:  call.NodeID(text.Draw(t, "edge")), owner: call.NodeID(text.Draw(t, "owner")), call: text.Draw(t, "call"),
			within: time.Duration(rapid.Int64Range(1, withinMost.Milliseconds()).Draw(t, "ms")) * time.Millisecond,
			dialog: text.Draw(t, "dialog"), tag: text.Draw(t, "tag"), seq: rapid.Uint32().Draw(t, "seq"), agent: text.Draw(t, "agent"),
			sentBy: "127.0.0.1:5060",
		}
		value := h.signed(siteSecret)
		require.NotContains(t, value, " ", "it stands in a header")
		read := claimHeader{dialog: h.dialog, tag: h.tag, seq: h.seq, sentBy: h.sentBy}
		require.NoError(t, read.read(value, siteSecret))
		require.Equal(t, h, read)
		require.ErrorIs(t, read.read(value, append([]byte("x"), siteSecret...)), errClaimMAC)
		at := rapid.IntRange(0, len(value)-1).Draw(t, "at")
		changed := []byte(value)
		changed[at] ^= 1 << rapid.IntRange(0, 4).Draw(t, "bit")
		if !strings.EqualFold(string(changed), value) { // hex may be in capitals
			require.Error(t, read.read(string(changed), siteSecret))
		}
	})
}

// FuzzClaimHeader: nothing is believed, and nothing panics, that was not signed.
func FuzzClaimHeader(f *testing.F) {
	h := claimHeader{token: call.Token{Epoch: 1, N: 2}, edge: "a.1", owner: "b.1", agent: "8001", call: "c", within: time.Second}
	f.Add(h.signed(siteSecret))
	f.Add("1.2;edge=a;owner=b;agent=d;call=c;within=1;mac=" + strings.Repeat("0", 64))
	f.Add(";mac=")
	f.Fuzz(func(t *testing.T, value string) {
		if (&claimHeader{}).read(value, []byte("another secret")) == nil {
			t.Error("believed")
		}
	})
}

// FuzzPacket: what the proxy reads of a message is there again when it writes it, and it takes any message, with its own
// marks in it, without harm.
func FuzzPacket(f *testing.F) {
	f.Add("INVITE sip:8001@h SIP/2.0\r\nv: SIP/2.0/UDP h:1;branch=z9hG4bK1, SIP/2.0/TCP x\r\nf: <sip:a@b>;tag=1\r\nt: c\r\ni: 1\r\n" +
		"CSeq: 1 INVITE\r\nMax-Forwards: 70\r\nRoute: <sip:hlr-x@h;lr>,<sip:y>\r\nl: 3\r\n\r\nabcdef")
	f.Add("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK-hlr-KEY-1\r\nFrom: a\r\nTo: b\r\nCall-ID: 1\r\nCSeq: 1  BYE\r\n\r\n")
	f.Add("BYE sip:hlr-KEY@h SIP/2.0\r\nVia: SIP/2.0/UDP h;rport;branch=z9hG4bK1\r\nFrom: a\r\nTo: b\r\nCall-ID: 1\r\nCSeq: 1 BYE\r\n" +
		"Route: <sip:hlr-KEY@h;lr>, \"a,b\" <sip:y>\r\n\r\n")
	f.Fuzz(func(t *testing.T, data string) {
		p, ok := packetOf(data)
		if !ok {
			return
		}
		again, ok := packetOf(string(p.bytes()))
		if !ok {
			t.Fatalf("not to be read again: %q", p.bytes())
		}
		require.Equal(t, p, again)
		method, status := p.method()
		require.True(t, status == 0 || status >= 100, status)
		require.NotEmpty(t, method)
		p.routedBy()
		p.hop()
		p.strip()
		seen(p, way{transport: transportUDP, peer: netip.MustParseAddrPort("127.0.0.1:5")})
		sentBy(p.get(nameVia))
		tagIn(p.get("to"))
		if status == 0 {
			_, ok = packetOf(string(p.answered(481, "tag").bytes()))
			require.True(t, ok)
		}
	})
}
