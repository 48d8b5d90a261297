package sip

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestShown: which number who is called sees, and what is asserted to the carrier, by what the trunk is to show and by whom
// the call is for.
func TestShown(t *testing.T) {
	t.Parallel()
	caller := call.DialRequest{Caller: "13912345678", Dialled: "96119"}
	private := call.DialRequest{Caller: "13912345678", Private: true, Dialled: "96119"}
	agent := call.DialRequest{Agent: "8001"}
	back := call.DialRequest{Agent: "8001", Dialled: "+8696119"} // of somebody who is called back, and had dialled that
	afar := call.DialRequest{Caller: "+442071234567", Dialled: "12345"}
	unknown := call.DialRequest{Caller: anonymous}
	const own, alarm, us = "<sip:96777@192.0.2.1>", "<sip:96119@192.0.2.1>", "192.0.2.1"
	for _, c := range []struct {
		shows          Shown
		r              call.DialRequest
		from, asserted string
		private        bool
	}{
		{ShowOwn, caller, own, own, false},
		{ShowOwn, private, own, own, false}, // the number is ours: there is nothing to hide
		{ShowOwn, agent, own, own, false},
		{ShowDialled, caller, alarm, alarm, false},
		{ShowDialled, private, alarm, alarm, false},
		{ShowDialled, back, alarm, alarm, false},
		{ShowDialled, agent, own, own, false},
		{ShowDialled, afar, own, own, false}, // another trunk's number is not this one's to assert
		{ShowCaller, caller, "<sip:+8613912345678@192.0.2.1>", own, false},
		{ShowCaller, private, nobodysFrom, own, true},
		{ShowCaller, agent, own, own, false},
		{ShowCaller, back, own, own, false},
		{ShowCaller, afar, "<sip:+442071234567@192.0.2.1>", own, false},
		{ShowCaller, unknown, own, own, false},
		{ShowNobody, caller, nobodysFrom, own, true},
		{ShowNobody, agent, nobodysFrom, own, true},
	} {
		one := newTrunks([]TrunkOptions{{
			Out: &TrunkOut{From: "96777", Shows: c.shows}, Numbering: &Numbering{Dialled: FormE164},
			Numbers: map[string]call.Next{"96777": {}, "96119": {}},
		}}).list[0]
		from, headers := one.presented(c.r, us)
		said := map[string]string{}
		for _, h := range headers {
			said[h.Name()] = h.Value()
		}
		want := map[string]string{"P-Asserted-Identity": c.asserted}
		if c.private {
			want["Privacy"] = "id"
		}
		require.Equal(t, c.from, from, "%q %+v", c.shows, c.r)
		require.Equal(t, want, said, "%q %+v", c.shows, c.r)
	}
}

// TestShownOnTheWire: of a caller who wished not to be shown nothing leaves to the carrier, in any header.
func TestShownOnTheWire(t *testing.T) {
	t.Parallel()
	r, p, _ := dialRig(t, TrunkOut{From: "96777", Shows: ShowCaller}, rule("139"))
	for _, private := range []bool{true, false} {
		out := make(chan error, 1)
		go func() {
			_, err := r.Dial(t.Context(), call.DialRequest{Number: "13912345678", Caller: "13800001111", Private: private})
			out <- err
		}()
		inv := p.expect("INVITE sip:13912345678@", "INVITE")
		require.Equal(t, "<sip:96777@127.0.0.1>", inv.header("p-asserted-identity"))
		require.Equal(t, !private, strings.Contains(inv.raw, "13800001111"))
		if private {
			require.Contains(t, inv.header("from"), `"Anonymous" <sip:anonymous@anonymous.invalid>;tag=`)
			require.Equal(t, "id", inv.header("privacy"))
		} else {
			require.Contains(t, inv.header("from"), "<sip:13800001111@127.0.0.1>;tag=")
			require.Empty(t, inv.header("privacy"))
		}
		p.respond(inv, 486, "Busy Here", "x", "")
		p.expect("ACK", "ACK")
		require.Error(t, next(t, out))
	}
}

// TestDoubted: a trunk that is not believed says by From alone who calls, and that is not proven; a wish not to be shown is
// granted all the same.
func TestDoubted(t *testing.T) {
	t.Parallel()
	for _, doubted := range []bool{true, false} {
		got := make(chan call.Incoming, 1)
		r := newRig(t, func(o *Options) {
			o.Trunks[0].Doubted = doubted
			o.Trunks[0].Numbering = &Numbering{Shown: FormE164}
			o.OnIncoming = func(_ context.Context, in call.Incoming) {
				got <- in
				in.Leg.Hangup(call.CauseDeclined)
			}
		})
		k := newPeer(t, "udp", r.udp()).dialog(testNumber)
		k.invite("P-Asserted-Identity: <sip:13800001111@carrier>", "Privacy: id", "Diversion: <sip:120@carrier>;reason=away")
		k.ack(k.p.status("INVITE", 603), "")
		in := next(t, got)
		require.Equal(t, doubted, in.Unproven)
		require.True(t, in.Private)
		require.Equal(t, "city", in.Trunk)
		if doubted {
			require.Equal(t, "+8613900001234", in.From)
			require.Empty(t, in.Diverted)
		} else {
			require.Equal(t, "+8613800001111", in.From)
			require.Len(t, in.Diverted, 1)
		}
	}
}
