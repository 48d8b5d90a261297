package sip

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

const require100rel = "Require: 100rel"

// ringingCall is an INVITE that waits for what the test does with its leg.
type ringingCall struct {
	*rig
	*talk
	leg    call.Leg
	invite int // CSeq of the INVITE
}

// incomingCall sends an INVITE to a rig whose T1 is t1.
func incomingCall(t *testing.T, t1 time.Duration, body string, extra ...string) *ringingCall {
	t.Helper()
	return incomingCallOver(t, "udp", t1, body, extra...)
}

func incomingCallOver(t *testing.T, network string, t1 time.Duration, body string, extra ...string) *ringingCall {
	t.Helper()
	legs := make(chan call.Leg, 1)
	r := newRig(t, func(o *Options) {
		o.T1 = t1
		o.OnIncoming = func(_ context.Context, in call.Incoming) {
			legs <- in.Leg
			<-in.Leg.Context().Done()
		}
	})
	to := r.udp()
	if network == "tcp" {
		to = r.tcp()
	}
	k := newPeer(t, network, to).dialog(testNumber)
	if body != "" {
		extra = append(extra, sdpHeader)
	}
	k.request("INVITE", body, extra...)
	return &ringingCall{rig: r, talk: k, leg: next(t, legs), invite: k.seq}
}

// rung has the leg ring, and returns the 180.
func (c *ringingCall) rung() wire {
	c.p.t.Helper()
	require.NoError(c.p.t, c.leg.Ring())
	w := c.p.expect("SIP/2.0 180", "INVITE")
	c.toTag = w.tag("to")
	return w
}

// prack acknowledges a 18x as a new request.
func (c *ringingCall) prack(w wire, body string) {
	c.p.t.Helper()
	c.p.settle(w)
	extra := []string{"RAck: " + w.header("rseq") + " " + w.header("cseq")}
	if body != "" {
		extra = append(extra, sdpHeader)
	}
	c.request("PRACK", body, extra...)
}

// acknowledge sends the ACK of a 2xx to the INVITE, or of a refusal.
func (c *ringingCall) acknowledge(w wire) {
	c.p.t.Helper()
	c.p.settle(w)
	branch := newBranch()
	if !strings.HasPrefix(w.start, "SIP/2.0 200") {
		branch = c.branch
	}
	c.p.write(c.message("ACK", c.invite, branch, ""))
}

// over hangs an answered call up from the far end.
func (c *ringingCall) over() {
	c.p.t.Helper()
	c.request("BYE", "")
	c.p.status("BYE", 200)
}

// To an INVITE that requires it a 18x is resent until its PRACK, at T1, 2·T1, 4·T1… (RFC 3262 section 3), over TCP
// too; the next has the next RSeq, and the 200 is as ever.
func TestReliableRinging(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			reliableRinging(t, network)
		})
	}
}

func reliableRinging(t *testing.T, network string) {
	t.Helper()
	const t1 = 100 * time.Millisecond
	c := incomingCallOver(t, network, t1, sdpGood, require100rel)
	began := time.Now()
	first := c.rung()
	require.Equal(t, "100rel", first.header("require"))
	seq, err := strconv.ParseUint(first.header("rseq"), 10, 32)
	require.NoError(t, err)
	require.True(t, seq >= 1 && seq <= 1<<31-1, seq)
	require.Empty(t, first.body, "the answer is the 200's")
	var due time.Duration
	for _, gap := range []time.Duration{t1, 2 * t1, 4 * t1} {
		require.NoError(t, c.leg.Ring(), "it is being resent: nothing new is sent")
		again := c.p.expect("SIP/2.0 180", "INVITE")
		require.Equal(t, first.raw, again.raw)
		due += gap
		require.GreaterOrEqual(t, again.at.Sub(began), due)
	}
	c.prack(first, "")
	ok := c.p.status("PRACK", 200)
	if network == "udp" {
		c.p.write(c.message("PRACK", c.seq, viaBranch(ok), "", "RAck: "+first.header("rseq")+" "+first.header("cseq")))
		require.Equal(t, ok.raw, c.p.status("PRACK", 200).raw, "a repeated PRACK gets its answer again")
	}
	c.prack(first, "")
	c.p.status("PRACK", 481)
	c.p.silence(8*t1+t1, "SIP/2.0 180")

	second := c.rung()
	require.Equal(t, strconv.FormatUint(seq+1, 10), second.header("rseq"))
	c.prack(second, "")
	c.p.status("PRACK", 200)
	_, err = c.leg.Answer()
	require.NoError(t, err)
	w := c.p.status("INVITE", 200)
	require.Equal(t, sdpOurs, w.body)
	require.Contains(t, w.header("allow"), "PRACK")
	require.Equal(t, supported, w.header("supported"))
	c.acknowledge(w)
	c.over()
}

// viaBranch is the branch that a response gives back.
func viaBranch(w wire) string {
	_, branch, _ := strings.Cut(w.header("via"), "branch=")
	branch, _, _ = strings.Cut(branch, ";")
	return branch
}

// An INVITE that only supports reliable 18x gets an ordinary one.
func TestRingingNotRequiredReliable(t *testing.T) {
	t.Parallel()
	c := incomingCall(t, 10*time.Millisecond, sdpGood, "Supported: 100rel")
	w := c.rung()
	require.Empty(t, w.header("require"))
	require.Empty(t, w.header("rseq"))
	c.p.silence(50*time.Millisecond, "SIP/2.0 180")
	c.request("PRACK", "", "RAck: 1 1 INVITE")
	c.p.status("PRACK", 481)
	c.leg.Hangup(call.CauseBusy)
	c.acknowledge(c.p.status("INVITE", 486))
}

// A PRACK acknowledges the 18x whose RSeq, CSeq and method it names, and no other.
func TestPrackMatching(t *testing.T) {
	t.Parallel()
	c := incomingCall(t, time.Second, sdpGood, require100rel)
	w := c.rung()
	seq, err := strconv.Atoi(w.header("rseq"))
	require.NoError(t, err)
	for _, m := range []struct {
		code  int
		body  string
		extra []string
	}{
		{400, "", nil},
		{400, "", []string{"RAck: "}},
		{400, "", []string{"RAck: one 1 INVITE"}},
		{400, "", []string{"RAck: 1 one INVITE"}},
		{400, "", []string{"RAck: 1 INVITE"}},
		{400, "", []string{"RAck: 4294967296 1 INVITE"}},
		{400, "", []string{fmt.Sprintf("RAck: %d 1 INVITE", seq), fmt.Sprintf("RAck: %d 1 INVITE", seq)}},
		{481, "", []string{fmt.Sprintf("RAck: %d 1 INVITE", seq+1)}},
		{481, "", []string{fmt.Sprintf("RAck: %d 2 INVITE", seq)}},
		{481, "", []string{fmt.Sprintf("RAck: %d 1 UPDATE", seq)}},
		{415, "x", []string{fmt.Sprintf("RAck: %d 1 INVITE", seq), "Content-Type: text/plain"}},
		// An offer cannot be answered before the INVITE's.
		{500, sdpHold, []string{fmt.Sprintf("RAck: %d 1 INVITE", seq), sdpHeader}},
		{200, "", []string{fmt.Sprintf("RAck: %d  1 INVITE", seq)}},
		{481, "", []string{fmt.Sprintf("RAck: %d 1 INVITE", seq)}},
	} {
		c.request("PRACK", m.body, m.extra...)
		got := c.p.status("PRACK", m.code)
		if m.code == 500 {
			require.NotEmpty(t, got.header("retry-after"))
		}
	}
	tag := c.toTag
	c.toTag = "nobody"
	c.prack(w, "")
	c.p.status("PRACK", 481)
	c.toTag = tag
	c.p.write(c.message("PRACK", 2, newBranch(), "", "RAck: 1 1 INVITE"))
	c.p.status("PRACK", 500) // out of order
	c.leg.Hangup(call.CauseBusy)
	c.acknowledge(c.p.status("INVITE", 486))
}

// Without a PRACK in 64·T1 the INVITE gets a 5xx (RFC 3262 section 3), and the leg ends.
func TestReliableRingingUnacknowledged(t *testing.T) {
	t.Parallel()
	const t1 = 20 * time.Millisecond
	c := incomingCall(t, t1, sdpGood, require100rel)
	began := time.Now()
	w := c.rung()
	gone := c.p.status("INVITE", 504)
	require.GreaterOrEqual(t, gone.at.Sub(began), 64*t1)
	c.acknowledge(gone)
	e := ended(t, c.leg)
	require.Equal(t, call.CauseNoAck, e.Why)
	require.Equal(t, call.Far, e.By)
	c.prack(w, "")
	c.p.status("PRACK", 481)
}

// A final response need not wait for a PRACK where the 18x has no description: the 18x is not resent any more, and
// its PRACK is answered all the same (RFC 3262 section 3).
func TestFinalBeforePrack(t *testing.T) {
	t.Parallel()
	const t1 = 50 * time.Millisecond
	for _, f := range []struct {
		name string
		code int
		end  func(c *ringingCall)
	}{
		{"answered", 200, func(c *ringingCall) { _, _ = c.leg.Answer() }},
		{"refused", 480, func(c *ringingCall) { c.leg.Hangup(call.CauseNoAnswer) }},
		{"cancelled", 487, func(c *ringingCall) { c.cancel(); c.p.status("CANCEL", 200) }},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			c := incomingCall(t, t1, sdpGood, require100rel)
			w := c.rung()
			f.end(c)
			final := c.p.status("INVITE", f.code)
			c.acknowledge(final)
			c.p.silence(4*t1, "SIP/2.0 180")
			c.prack(w, "")
			c.p.status("PRACK", 200)
			c.prack(w, "")
			c.p.status("PRACK", 481)
			if f.code == 200 {
				c.over()
			}
			c.quiet(t)
		})
	}
}

// Nothing takes the place of a refusal that is resent: not a 18x either.
func TestRefusalStaysWhatItIs(t *testing.T) {
	t.Parallel()
	const t1 = 50 * time.Millisecond
	c := incomingCall(t, t1, sdpGood, require100rel)
	c.rung()
	c.cancel()
	c.p.status("CANCEL", 200)
	c.p.status("INVITE", 487)
	c.p.silence(8*t1, "SIP/2.0 180")
	tag := c.toTag
	c.toTag = ""
	c.p.write(c.message("INVITE", c.invite, c.branch, sdpGood, require100rel, sdpHeader))
	c.toTag = tag
	c.acknowledge(c.p.status("INVITE", 487))
}

// The far end's BYE ends an early dialog at once, its 18x and its INVITE with it (RFC 3261 section 15).
func TestByeInEarlyDialog(t *testing.T) {
	t.Parallel()
	for name, reliable := range map[string][]string{"reliable": {require100rel}, "not": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := incomingCall(t, 50*time.Millisecond, sdpGood, reliable...)
			c.rung()
			c.request("BYE", "")
			seen := map[string]bool{}
			for len(seen) < 2 {
				w, err := c.p.read(testWait)
				require.NoError(t, err)
				if !strings.HasPrefix(w.start, "SIP/2.0 1") {
					seen[w.start+" "+w.method()] = true
				}
			}
			require.Equal(t, map[string]bool{"SIP/2.0 200 OK BYE": true, "SIP/2.0 487 Request Terminated INVITE": true}, seen)
			c.p.write(c.message("ACK", c.invite, c.branch, ""))
			c.p.silence(100*time.Millisecond, "SIP/2.0 180")
			require.Equal(t, call.CauseBye, ended(t, c.leg).Why)
			require.Error(t, c.leg.Ring())
			c.request("PRACK", "", "RAck: 1 1 INVITE")
			c.p.status("PRACK", 481)
		})
	}
}
