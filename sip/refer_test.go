package sip

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// referRig is a rig with everything that a REFER may name, and agent 8001's phone registered.
func referRig(t *testing.T) (*rig, *peer) {
	t.Helper()
	return referRigWith(t, func(*Options) {})
}

// referRigWith is referRig, with something changed.
func referRigWith(t *testing.T, change func(o *Options)) (*rig, *peer) {
	t.Helper()
	legs := make(chan call.Leg, 4)
	r := newRig(t, func(o *Options) {
		o.Agents = append(o.Agents, AgentOptions{ID: "8002", Password: "two"})
		o.Queues = []string{"repair"}
		o.Trunks[0].Out = &TrunkOut{Network: "udp", Address: "trunk.invalid:5060", From: testNumber}
		o.Dial = []DialRule{{Prefix: "139", Trunk: "city", PerMinute: 60, AtOnce: 2}}
		o.OnIncoming = untilOver(legs)
		change(o)
	})
	p := newPeer(t, "udp", r.udp())
	p.register(r)
	return r, p
}

// atAgent rings agent 8001, whose phone answers: the phone's side of the dialog, our leg, and what its owner
// is asked.
func atAgent(t *testing.T, r *rig, p *peer) (*talk, call.Leg, chan call.Command) {
	t.Helper()
	inv, l := p.answeredBy(r)
	commands := make(chan call.Command, 16)
	l.Attach(func(c call.Command) bool {
		commands <- c
		return true
	})
	k := &talk{p: p, callID: inv.header("call-id"), fromTag: "a1", toTag: inv.tag("from"), number: "hotline"}
	return k, l, commands
}

// legOf is a leg as this package has it.
func legOf(l call.Leg) *leg { return l.(*leg) }

// subscriptionOver waits until the last REFER of a leg is over.
func subscriptionOver(t *testing.T, l call.Leg) {
	t.Helper()
	require.Eventually(t, func() bool {
		one := legOf(l)
		one.mu.Lock()
		defer one.mu.Unlock()
		return one.referral.over()
	}, testWait, time.Millisecond)
}

// refer sends a REFER that the owner is to be asked about, and returns what it is asked.
func (k *talk) refer(commands <-chan call.Command, to string, extra ...string) call.Referred {
	k.p.t.Helper()
	k.request("REFER", "", append(extra, "Refer-To: "+to)...)
	asked, ok := next(k.p.t, commands).(call.Referred)
	require.True(k.p.t, ok)
	return asked
}

// notice expects a NOTIFY that says so, and leaves it unanswered.
func (k *talk) notice(fragment, state string) wire {
	k.p.t.Helper()
	w := k.p.expect("NOTIFY sip:8001@", "NOTIFY")
	require.Equal(k.p.t, "SIP/2.0 "+fragment+"\r\n", w.body)
	require.True(k.p.t, strings.HasPrefix(w.header("subscription-state"), state), w.header("subscription-state"))
	require.Equal(k.p.t, "message/sipfrag;version=2.0", w.header("content-type"))
	require.NotEmpty(k.p.t, w.header("contact"), "RFC 6665 section 8.2: a NOTIFY refreshes the target")
	require.Equal(k.p.t, k.callID, w.header("call-id"))
	return w
}

// told expects a NOTIFY and answers it.
func (k *talk) told(fragment, state string) wire {
	k.p.t.Helper()
	w := k.notice(fragment, state)
	k.p.respond(w, 200, "OK", "", "")
	return w
}

const (
	active = "active;expires="
	over   = "terminated;reason=noresource"
)

// hangup ends the leg from our side, with whatever the phone is still told before.
func (k *talk) hangup(l call.Leg) {
	k.p.t.Helper()
	l.Hangup(call.CauseBye)
	k.p.respond(k.p.expect("BYE", "BYE"), 200, "OK", "", "")
}

// What a phone refers to is where the party is to go, and the phone is told step by step (RFC 3515 sections
// 2.4.4 and 2.4.5); from the second REFER of a dialog on, with an id (section 2.4.6).
func TestReferBlind(t *testing.T) {
	t.Parallel()
	r, p := referRig(t)
	k, leg, commands := atAgent(t, r, p)
	for i, c := range []struct {
		to   string
		want call.Next
	}{
		{"<sip:8002@" + r.udp().Addr().String() + ">", call.Next{Kind: call.Wait, Agent: "8002", Once: true}},
		{"sip:repair@hotline", call.Next{Kind: call.Wait, Queue: "repair"}},
		{"\"Repair, please\" <sips:repair@HOTLINE;method=invite>", call.Next{Kind: call.Wait, Queue: "repair"}},
		{"<sip:" + testNumber + "@127.0.0.9>", call.Next{Kind: call.Menu, Menu: "main"}},
		{"<sip:13912345678@trunk.invalid;user=phone>", call.Next{Kind: call.Dial, Number: "13912345678"}},
		{"<tel:139-1234-5678;phone-context=x>", call.Next{Kind: call.Dial, Number: "13912345678"}},
	} {
		asked := k.refer(commands, c.to, "Referred-By: <sip:8001@x>;cid=\"y@z\"")
		require.Equal(t, leg.ID(), asked.Leg)
		require.Equal(t, c.want, asked.To, c.to)
		require.Empty(t, asked.Replaces)
		require.WithinDuration(t, time.Now(), asked.At, testWait)
		asked.Referral.Accept()
		asked.Referral.Refuse(call.CauseBusy) // answered already
		w := p.status("REFER", 202)
		require.NotEmpty(t, w.header("contact"))
		event := "refer"
		if i > 0 {
			event = fmt.Sprintf("refer;id=%d", k.seq)
		}
		require.Equal(t, event, k.told("100 Trying", active).header("event"))
		asked.Referral.Ringing()
		require.Equal(t, event, k.told("180 Ringing", active).header("event"))
		asked.Referral.Done(call.CauseNone)
		asked.Referral.Done(call.CauseError)
		require.Equal(t, event, k.told("200 OK", over).header("event"))
	}
	k.hangup(leg)
}

// How a transfer failed is told by the table of reply.go.
func TestReferFails(t *testing.T) {
	t.Parallel()
	r, p := referRig(t)
	k, leg, commands := atAgent(t, r, p)
	for why, fragment := range map[call.Cause]string{
		call.CauseBusy: "486 Busy Here", call.CauseDeclined: "603 Decline", call.CauseForbidden: "403 Forbidden",
		call.CauseNoAnswer: "480 Temporarily Unavailable", call.CauseNotFound: "404 Not Found",
	} {
		ref := k.refer(commands, "<sip:8002@hotline>").Referral
		ref.Accept()
		k.p.status("REFER", 202)
		k.told("100 Trying", active)
		ref.Done(why)
		k.told(fragment, over)
		subscriptionOver(t, leg)
	}
	// Done answers what nobody has.
	k.refer(commands, "<sip:8002@hotline>").Referral.Done(call.CauseForbidden)
	p.status("REFER", 403)
	k.refer(commands, "<sip:8002@hotline>").Referral.Done(call.CauseNone)
	p.status("REFER", 202)
	k.told("100 Trying", active)
	k.told("200 OK", over)
	k.hangup(leg)
}

func TestReferRefused(t *testing.T) {
	t.Parallel()
	r, p := referRig(t)
	k, leg, commands := atAgent(t, r, p)
	for _, c := range []struct {
		name  string
		extra []string
		code  int
	}{
		{"no Refer-To", nil, 400},
		{"two Refer-To", []string{"Refer-To: <sip:8002@hotline>", "Refer-To: <sip:8002@hotline>"}, 400},
		{"two in one", []string{"Refer-To: <sip:8002@hotline>, <sip:8003@hotline>"}, 400},
		{"one by each name", []string{"Refer-To: <sip:8002@hotline>", "r: <sip:8002@hotline>"}, 400},
		{"two in a compact one", []string{"r: <sip:8002@hotline>, <sip:8003@hotline>"}, 400},
		{"no URI", []string{"r: 8002"}, 400},
		{"a Replaces without tags", []string{"Refer-To: <sip:8002@hotline?Replaces=abc%40x>"}, 400},
		{"two Replaces", []string{"Refer-To: <sip:8002@hotline?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2&replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2>"}, 400},
		{"an extension", []string{"Refer-To: <sip:8002@hotline>", "Require: multiple-refer"}, 420},
	} {
		t.Run(c.name, func(t *testing.T) {
			k.request("REFER", "", c.extra...)
			p.status("REFER", c.code)
			require.Empty(t, commands)
		})
	}
	t.Run("out of order", func(t *testing.T) {
		p.write(k.message("REFER", 1, newBranch(), "", "Refer-To: <sip:8002@hotline>"))
		p.status("REFER", 500)
	})
	t.Run("by the owner", func(t *testing.T) {
		k.refer(commands, "<sip:8002@hotline>").Referral.Refuse(call.CauseBusy)
		p.status("REFER", 486)
	})
	t.Run("by the owner, with what would end the dialog", func(t *testing.T) {
		k.refer(commands, "<sip:8002@hotline>").Referral.Refuse(call.CauseNotFound)
		p.status("REFER", 202)
		k.told("100 Trying", active)
		k.told("404 Not Found", over)
		subscriptionOver(t, leg)
	})
	t.Run("while one is pending", func(t *testing.T) {
		first := k.refer(commands, "<sip:8002@hotline>")
		k.request("REFER", "", "Refer-To: <sip:8002@hotline>")
		p.status("REFER", 491)
		first.Referral.Accept()
		p.status("REFER", 202)
		k.told("100 Trying", active)
		k.request("REFER", "", "Refer-To: <sip:8002@hotline>")
		p.status("REFER", 491)
		first.Referral.Done(call.CauseNone)
		k.told("200 OK", over)
	})
	t.Run("nobody attached", func(t *testing.T) {
		subscriptionOver(t, leg)
		leg.Attach(nil)
		k.request("REFER", "", "Refer-To: <sip:8002@hotline>")
		require.NotEmpty(t, p.status("REFER", 500).header("retry-after"))
	})
	t.Run("no such dialog", func(t *testing.T) {
		tag := k.toTag
		k.toTag = "nobody"
		k.request("REFER", "", "Refer-To: <sip:8002@hotline>")
		p.status("REFER", 481)
		k.toTag = tag
	})
	k.hangup(leg)
}

// Nobody refers outside a dialog, and no caller at all: they would have us dial for them.
func TestReferFromStrangers(t *testing.T) {
	t.Parallel()
	_, k, leg, commands := up(t, true)
	k.request("REFER", "", "Refer-To: <sip:8001@hotline>")
	k.p.status("REFER", 403)
	require.Empty(t, commands)
	require.NoError(t, leg.Context().Err())
	k.bye()
	other := newPeer(t, "udp", k.p.to).dialog(testNumber)
	other.request("REFER", "", "Refer-To: <sip:8001@hotline>")
	other.p.status("REFER", 403)
}

// What cannot be reached is told as the INVITE would have been answered (RFC 5057 section 5.1: those statuses
// would end the dialog, were they the REFER's).
func TestReferToNowhere(t *testing.T) {
	t.Parallel()
	r, p := referRig(t)
	first, firstLeg, _ := atAgent(t, r, p)
	k, leg, commands := atAgent(t, r, p)
	caller := newPeer(t, "udp", r.udp()).dialog(testNumber)
	caller.answered()
	for _, c := range []struct{ to, fragment string }{
		{"<sip:8009@hotline>", "404 Not Found"},
		{"<sip:hotline>", "404 Not Found"},
		{"<sip:8002@elsewhere.example>", "404 Not Found"},
		{"<sip:8002@192.0.2.1>", "404 Not Found"},
		{"<tel:110>", "404 Not Found"},
		{"<sip:139%2a5678@hotline>", "404 Not Found"},
		{"<sip:8001@hotline>", "486 Busy Here"},
		{"<http://hotline/8002>", "416 Unsupported URI Scheme"},
		{"<sip:8002@hotline;method=BYE>", "501 Not Implemented"},
		{"<sip:8002@hotline?Replaces=" + replaces("x", "y", "z") + ">", "481 Call/Transaction Does Not Exist"},
		{"<sip:8002@hotline?Replaces=" + k.replaces() + ">", "481 Call/Transaction Does Not Exist"},
		{"<sip:8002@hotline?Replaces=" + caller.replaces() + ">", "481 Call/Transaction Does Not Exist"},
		{"<sip:8002@hotline?Replaces=" + first.replaces() + "%3Bearly-only>", "486 Busy Here"},
	} {
		asked := k.refer(commands, c.to)
		require.Empty(t, asked.To, "the owner is to know what its agent wished for, and that nothing comes of it")
		require.Empty(t, asked.Replaces)
		asked.Referral.Refuse(call.CauseBusy) // whatever the owner makes of it
		p.status("REFER", 202)
		k.told("100 Trying", active)
		k.told(c.fragment, over)
		subscriptionOver(t, leg)
	}
	leg.Attach(nil)
	k.request("REFER", "", "Refer-To: <sip:8009@hotline>")
	p.status("REFER", 202)
	k.told("100 Trying", active)
	k.told("404 Not Found", over)
	subscriptionOver(t, leg)
	k.hangup(leg)
	first.hangup(firstLeg)
	caller.bye()
}

// RFC 4488: no subscription where none is wanted, but for what cannot be.
func TestReferWithoutSubscription(t *testing.T) {
	t.Parallel()
	r, p := referRig(t)
	k, leg, commands := atAgent(t, r, p)
	for range 2 {
		ref := k.refer(commands, "<sip:8002@hotline>", "Refer-Sub: FALSE", "Require: norefersub").Referral
		ref.Accept()
		require.Equal(t, "false", p.status("REFER", 202).header("refer-sub"))
		ref.Ringing()
		ref.Done(call.CauseNone)
	}
	p.silence(100*time.Millisecond, "NOTIFY")
	k.refer(commands, "<sip:8009@hotline>", "Refer-Sub: false").Referral.Refuse(call.CauseNotFound)
	require.Empty(t, p.status("REFER", 202).header("refer-sub"))
	k.told("100 Trying", active)
	k.told("404 Not Found", over)
	k.hangup(leg)
}

// A REFER that nobody decides is answered while its phone still waits; one whose leg ends, at once.
func TestReferUndecided(t *testing.T) {
	t.Parallel()
	r, p := referRigWith(t, func(o *Options) { o.T1 = 100 * time.Millisecond })
	k, _, commands := atAgent(t, r, p)
	ref := k.refer(commands, "<sip:8002@hotline>").Referral
	require.NotEmpty(t, p.status("REFER", 500).header("retry-after"))
	require.False(t, ref.Accept(), "the phone was told 500: nothing may come of it")
	ref.Ringing()
	k.refer(commands, "<sip:8002@hotline>")
	k.request("BYE", "")
	codes := map[string]string{}
	for range 2 {
		w := p.expectAny("SIP/2.0 ")
		codes[w.method()] = strings.Fields(w.start)[1]
	}
	require.Equal(t, map[string]string{"BYE": "200", "REFER": "487"}, codes, "RFC 3261 section 15.1.2")
}

// expectAny reads until a message whose first line has the prefix.
func (p *peer) expectAny(prefix string) wire {
	p.t.Helper()
	for {
		w, err := p.read(testWait)
		require.NoError(p.t, err)
		if strings.HasPrefix(w.start, prefix) {
			return w
		}
	}
}

// A Refer-To in the compact form that the parser does not know.
func TestReferCompactForm(t *testing.T) {
	t.Parallel()
	r, p := referRig(t)
	k, leg, commands := atAgent(t, r, p)
	k.request("REFER", "", "r: \"A, B\" <sip:repair@hotline>", "b: <sip:8001@hotline>")
	asked, ok := next(t, commands).(call.Referred)
	require.True(t, ok)
	require.Equal(t, call.Next{Kind: call.Wait, Queue: "repair"}, asked.To)
	asked.Referral.Refuse(call.CauseDeclined)
	p.status("REFER", 603)
	k.hangup(leg)
}

// An agent's INVITE leads wherever a REFER may, and nowhere else; a trunk's keeps to its numbers.
func TestAgentDials(t *testing.T) {
	t.Parallel()
	r, p := referRig(t)
	from := netip.MustParseAddrPort(p.addr()).Addr()
	for user, want := range map[string]call.Next{
		"8002": {Kind: call.Wait, Agent: "8002", Once: true}, "repair": {Kind: call.Wait, Queue: "repair"},
		testNumber: {Kind: call.Menu, Menu: "main"}, "13912345678": {Kind: call.Dial, Number: "13912345678"},
	} {
		at, why := r.reach("8001", from, user)
		require.Empty(t, why, user)
		require.Equal(t, want, at, user)
	}
	for user, want := range map[string]call.Cause{
		"8001": call.CauseBusy, "": call.CauseNotFound, "8009": call.CauseNotFound, "138": call.CauseNotFound,
		"139abc": call.CauseNotFound, "139#": call.CauseNotFound,
	} {
		_, why := r.reach("8001", from, user)
		require.Equal(t, want, why, user)
	}
	for _, number := range []string{"8002", "repair", "13912345678"} {
		k := newPeer(t, "udp", r.udp()).dialog(number)
		k.invite()
		k.ack(k.p.status("INVITE", 404), "")
	}
}
