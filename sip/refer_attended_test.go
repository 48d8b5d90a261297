package sip

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// replaces is a Replaces header escaped for a URI.
func replaces(callID, toTag, fromTag string) string {
	return strings.NewReplacer("@", "%40", ";", "%3B", "=", "%3D").Replace(
		fmt.Sprintf("%s;to-tag=%s;from-tag=%s", callID, toTag, fromTag))
}

// replaces names the dialog as its far end knows it, which is us (RFC 3891 section 3).
func (k *talk) replaces() string { return replaces(k.callID, k.toTag, k.fromTag) }

// Attended: the Replaces is a leg of ours, of the same agent, whomever the rest of the URI names.
func TestReferAttended(t *testing.T) {
	t.Parallel()
	r, p := referRig(t)
	first, firstLeg, commands := atAgent(t, r, p)
	second, secondLeg, _ := atAgent(t, r, p)
	for _, c := range []struct {
		to   string
		want call.Next
	}{
		{"<sip:hotline@elsewhere.example:5070;lr?Replaces=" + second.replaces() + "&Require=replaces>", call.Next{}},
		{"<sip:8002@hotline?REPLACES=" + second.replaces() + "%3Bearly-only-not>", call.Next{Kind: call.Wait, Agent: "8002", Once: true}},
	} {
		asked := first.refer(commands, c.to)
		require.Equal(t, secondLeg.ID(), asked.Replaces)
		require.Equal(t, c.want, asked.To)
		asked.Referral.Accept()
		p.status("REFER", 202)
		first.told("100 Trying", active)
		asked.Referral.Done(call.CauseNone)
		first.told("200 OK", over)
		subscriptionOver(t, firstLeg)
	}
	second.hangup(secondLeg)
	first.hangup(firstLeg)
}

// The consultation is a call that the agent's phone makes, answered or not; early-only is then met.
func TestReferToUnansweredConsultation(t *testing.T) {
	t.Parallel()
	r, p := referRig(t)
	k, talking, _ := atAgent(t, r, p)
	early := &leg{ua: r.UA, id: "early", settled: make(chan struct{}), agent: "8001", d: dialog{CallID: "c", LocalTag: "ours", RemoteTag: "theirs", Agent: "8001"}}
	early.key = early.d.id()
	ctx, cancel := context.WithCancel(context.Background())
	early.ctx = ctx
	r.legs.enter(early)
	defer r.legs.remove(early)
	for _, only := range []bool{false, true} {
		id, code := r.replaced(legOf(talking), replacing{"c", "ours", "theirs", only})
		require.Equal(t, call.LegID("early"), id)
		require.Zero(t, code)
	}
	cancel()
	_, code := r.replaced(legOf(talking), replacing{"c", "ours", "theirs", false})
	require.Equal(t, 603, code, "RFC 3891 section 3: a dialog that has ended")
	k.hangup(talking)
}

// A call that an agent's phone made is handed on like one that it took: the REFER comes in the dialog of its own INVITE.
func TestReferByMaker(t *testing.T) {
	t.Parallel()
	legs, commands := make(chan call.Leg, 1), make(chan call.Command, 4)
	_, p := referRigWith(t, func(o *Options) {
		o.OnIncoming = func(ctx context.Context, in call.Incoming) {
			in.Leg.Attach(func(c call.Command) bool { commands <- c; return true })
			untilOver(legs)(ctx, in)
		}
	})
	k := p.inviteAsAgent("8002")
	k.ack(p.status("INVITE", 200), "")
	asked := k.refer(commands, "<sip:repair@hotline>")
	require.Equal(t, call.Next{Kind: call.Wait, Queue: "repair"}, asked.To)
	l := next(t, legs)
	require.Equal(t, l.ID(), asked.Leg)
	asked.Referral.Accept()
	p.status("REFER", 202)
	inTheirs := func(fragment, state string) {
		w := p.expect("NOTIFY sip:caller@", "NOTIFY")
		require.Equal(t, "SIP/2.0 "+fragment+"\r\n", w.body)
		require.True(t, strings.HasPrefix(w.header("subscription-state"), state))
		require.Equal(t, k.callID, w.header("call-id"))
		p.respond(w, 200, "OK", "", "")
	}
	inTheirs("100 Trying", active)
	asked.Referral.Done(call.CauseNone)
	inTheirs("200 OK", over)
	k.hangup(l)
}
