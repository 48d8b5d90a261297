package sip

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/icholy/digest"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

// traces is an Options.Trace that tests wait on.
type traces struct {
	mu     sync.Mutex
	byCall map[string][]call.SIPMessage
}

func newTraces() *traces { return &traces{byCall: make(map[string][]call.SIPMessage)} }

func (s *traces) take(callID string, messages []call.SIPMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byCall[callID] = append(s.byCall[callID], messages...)
}

// of is what was handed over of a call, in order, without the copies of ours that timers have sent where the machine is
// slow.
func (s *traces) of(callID string) []call.SIPMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := append([]call.SIPMessage(nil), s.byCall[callID]...)
	call.SortLadder(out)
	return slices.CompactFunc(out, func(a, b call.SIPMessage) bool {
		return !a.Received && !b.Received && a.Head == b.Head
	})
}

// await waits until n messages of call c1 were handed over.
func (s *traces) await(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return len(s.of("c1")) >= n }, testWait, time.Millisecond)
}

// tracedRig is a rig whose ladders are handed over soon after their ends, and kept in traces.
func tracedRig(t *testing.T, change func(o *Options)) (*rig, *traces) {
	t.Helper()
	s := newTraces()
	r := newRigWith(t, func(o *Options) {
		o.Trace = s.take
		if change != nil {
			change(o)
		}
	}, func(u *UA) { u.ladder.quiet = time.Second })
	return r, s
}

// rungs are a ladder as lines: who, which way, start line.
func rungs(messages []call.SIPMessage) []string {
	var out []string
	for _, m := range messages {
		way := "->"
		if m.Received {
			way = "<-"
		}
		start, _, _ := strings.Cut(m.Head, "\r\n")
		f := strings.Fields(start)
		switch {
		case m.Omitted > 0:
			start = fmt.Sprint("omitted ", m.Omitted)
		case strings.HasPrefix(start, version):
			start = strings.Join(f[1:], " ")
		default:
			start = f[0]
		}
		out = append(out, strings.Join([]string{m.Party, way, start}, " "))
	}
	return out
}

// owned is an OnIncoming that makes each leg one of call c1, and answers.
func owned(legs chan<- call.Leg) func(context.Context, call.Incoming) {
	until := untilOver(legs)
	return func(ctx context.Context, in call.Incoming) {
		in.Leg.Belongs("c1")
		until(ctx, in)
	}
}

// at is where the rig listens.
func (r *rig) at(network string) netip.AddrPort {
	if network == "tcp" {
		return r.tcp()
	}
	return r.udp()
}

// A caller's leg and a ring, over UDP byte for byte, and over TCP: every message, in order, with who, where,
// and no body; a repeated one is there twice.
func TestLadderOfACall(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			legs := make(chan call.Leg, 1)
			r, s := tracedRig(t, func(o *Options) { o.OnIncoming = owned(legs) })
			agent := newPeer(t, network, r.at(network))
			agent.register(r)
			caller := newPeer(t, network, r.at(network))
			k := caller.dialog(testNumber)
			ok := k.answered()

			leg := next(t, legs)
			require.Eventually(t, func() bool { return len(r.Ladder("c1")) >= 4 }, testWait, time.Millisecond)

			out := r.ring(t.Context(), nil)
			inv := agent.expect("INVITE", "INVITE")
			agent.respond(inv, 180, "Ringing", "a1", "")
			agent.respond(inv, 200, "OK", "a1", sdpGood)
			ack := agent.expect("ACK", "ACK")
			agent.respond(inv, 200, "OK", "a1", sdpGood)
			agent.expect("ACK", "ACK")
			rung := next(t, out)
			require.NoError(t, rung.err)
			require.Empty(t, r.Ladder("c2"))

			k.toTag = ok.tag("to")
			k.request("BYE", "")
			caller.status("BYE", 200)
			ended(t, leg)
			rung.leg.Hangup(call.CauseBye)
			agent.respond(agent.expect("BYE", "BYE"), 200, "OK", "", "")
			s.await(t, 14)
			got := s.of("c1")
			require.Empty(t, r.Ladder("c1"), "handed over once")
			party := "13900001234"
			require.Equal(t, []string{
				party + " <- INVITE", party + " -> 100 Trying", party + " -> 200 OK", party + " <- ACK",
				"8001 -> INVITE", "8001 <- 180 Ringing", "8001 <- 200 OK", "8001 -> ACK", "8001 <- 200 OK", "8001 -> ACK",
				party + " <- BYE", party + " -> 200 OK", "8001 -> BYE", "8001 <- 200 OK",
			}, rungs(got))
			for i, m := range got {
				require.Equal(t, caller.transport(), m.Transport)
				require.Equal(t, r.at(network), m.Local)
				require.Equal(t, m.Party == "8001", m.Agent)
				want := caller.addr()
				if m.Agent {
					want = agent.addr()
				}
				require.Equal(t, want, m.Remote.String())
				require.NotContains(t, m.Head, "v=0")
				require.Equal(t, strings.Contains(m.Head, "application/sdp"), m.Body != "", "%d", i)
			}
			head, _, _ := strings.Cut(ok.raw, "\r\n\r\n")
			require.Equal(t, head, got[2].Head)
			head, _, _ = strings.Cut(ack.raw, "\r\n\r\n")
			require.Equal(t, head, got[7].Head)
			require.Equal(t, got[7].Head, got[9].Head)
			require.Equal(t, fmt.Sprintf("application/sdp, %d octets", len(sdpOurs)), got[2].Body)
			if network == "udp" {
				head, _, _ = strings.Cut(k.message("BYE", k.seq, "", ""), "branch=")
				require.True(t, strings.HasPrefix(got[10].Head, head), got[10].Head)
			}
		})
	}
}

// A ring that nobody answered is in the ladder of its call, with its CANCEL.
func TestLadderOfAnUnansweredRing(t *testing.T) {
	t.Parallel()
	r, s := tracedRig(t, nil)
	agent := newPeer(t, "udp", r.udp())
	agent.register(r)
	ctx, cancel := context.WithCancelCause(t.Context())
	out := r.ring(ctx, nil)
	inv := agent.expect("INVITE", "INVITE")
	agent.respond(inv, 180, "Ringing", "a1", "")
	require.Eventually(t, func() bool { return len(r.Ladder("c1")) >= 2 }, testWait, time.Millisecond)
	cancel(call.CancelCause{Why: call.CauseElsewhere})
	agent.respond(agent.expect("CANCEL", "CANCEL"), 200, "OK", "a1", "")
	agent.respond(inv, 487, "Request Terminated", "a1", "")
	agent.expect("ACK", "ACK")
	require.Error(t, next(t, out).err)
	s.await(t, 6)
	require.Equal(t, []string{
		"8001 -> INVITE", "8001 <- 180 Ringing", "8001 -> CANCEL", "8001 <- 200 OK", "8001 <- 487 Request Terminated", "8001 -> ACK",
	}, rungs(s.of("c1")))
}

// An agent's call is challenged before anybody knows that it will be a call: that is in its ladder too,
// without the credentials.
func TestLadderHidesCredentials(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 1)
	r, s := tracedRig(t, func(o *Options) { o.OnIncoming = owned(legs) })
	p := newPeer(t, "udp", r.udp())
	p.register(r)
	k := p.dialog(testNumber)
	invite := func(extra ...string) {
		k.seq++
		k.branch = newBranch()
		p.write(strings.Replace(k.message("INVITE", k.seq, k.branch, sdpGood, append(extra, sdpHeader)...),
			"From: <sip:13900001234@", "From: <sip:8001@", 1))
	}
	invite()
	w := p.status("INVITE", 401)
	k.ack(w, "")
	k.toTag = ""
	c, err := digest.ParseChallenge(w.header("www-authenticate"))
	require.NoError(t, err)
	creds, err := digest.Digest(c, digest.Options{
		Method: "INVITE", URI: fmt.Sprintf("sip:%s@%s", testNumber, p.to), Username: "8001", Password: "one", Count: 1,
	})
	require.NoError(t, err)
	line, rest, _ := strings.Cut(creds.String(), " ")
	invite("AUTHORIZATION : "+line+"\r\n "+rest, "Proxy-Authorization: Basic c2VjcmV0")
	k.ack(p.status("INVITE", 200), "")
	leg := next(t, legs)
	leg.Hangup(call.CauseBye)
	p.respond(p.expect("BYE", "BYE"), 200, "OK", "", "")
	s.await(t, 9)
	got := s.of("c1")
	require.Equal(t, []string{
		"8001 <- INVITE", "8001 -> 401 Unauthorized", "8001 <- ACK", "8001 <- INVITE", "8001 -> 100 Trying",
		"8001 -> 200 OK", "8001 <- ACK", "8001 -> BYE", "8001 <- 200 OK",
	}, rungs(got))
	require.Contains(t, got[3].Head, "AUTHORIZATION: (hidden)\r\nProxy-Authorization: (hidden)\r\n")
	for _, m := range got {
		require.NotContains(t, m.Head, creds.Response)
		require.NotContains(t, m.Head, "c2VjcmV0")
	}
}

// What is no call's is not kept: registrations, OPTIONS, what the door refuses, calls that nobody takes.
func TestLadderKeepsCallsOnly(t *testing.T) {
	t.Parallel()
	r, s := tracedRig(t, func(o *Options) { o.OnIncoming = func(context.Context, call.Incoming) {} })
	p := newPeer(t, "udp", r.udp())
	for number, code := range map[string]int{"404": 404, testNumber: 500} {
		k := p.dialog(number)
		k.invite()
		k.ack(p.status("INVITE", code), "")
	}
	p.register(r)
	p.dialog(testNumber).request("OPTIONS", "")
	p.status("OPTIONS", 200)
	require.Eventually(t, func() bool {
		r.ladder.mu.Lock()
		defer r.ladder.mu.Unlock()
		return len(r.ladder.tracks) == 0
	}, testWait, time.Millisecond)
	require.Empty(t, s.byCall)
}
