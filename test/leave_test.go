package test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestCallerCancels: a caller of a direct number gives up while the agent's phone rings. The phone gets
// CANCEL, nobody is reserved, and the call is the caller's to have ended.
func TestCallerCancels(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: slowRings, Race: true})
	phone := agent(t, h, "8002", testkit.BaresipOptions{})
	wire := h.Capture()
	c := testkit.StartCaller(t, testkit.SippCaller{
		To: h.SIP, Number: "96110", From: "13900001234", Cancels: true, CancelAfter: 400 * time.Millisecond,
	})
	phone.Await(testkit.CallIncoming)
	phone.Await(testkit.CallClosed)
	require.Zero(t, c.Wait(), c.Messages())

	r := over(t, h)
	require.Equal(t, "abandoned", r.Result)
	require.Equal(t, "caller-hangup", r.Reason)
	require.Equal(t, "caller", r.Release)
	require.Nil(t, r.Joined)
	require.Empty(t, r.Recording)
	require.Len(t, r.Offers, 1)
	require.Equal(t, "withdrawn", r.Offers[0].How)
	require.Equal(t, "abandoned", r.Visits[0].How)
	require.Equal(t, 1, count(wire.SIP(), "CANCEL", phone.Port))
	h.AwaitAgent("8002", "ready")
}

// TestCallerHangsUp: at each place of the way before an agent has answered.
func TestCallerHangsUp(t *testing.T) {
	t.Parallel()
	t.Run("in the menu", func(t *testing.T) {
		t.Parallel()
		h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true})
		c := caller(t, testkit.BaresipOptions{})
		c.Dial(h.Number("96777"))
		c.Await("CALL_RTPESTAB")
		c.Hangup()
		r := over(t, h)
		require.Equal(t, "abandoned", r.Result)
		require.Equal(t, "caller", r.Release)
		require.Empty(t, r.Visits)
		require.Empty(t, r.Offers)
		require.Empty(t, r.Queue)
		require.Empty(t, r.MenuPath)
	})
	t.Run("in the queue, no agent there", func(t *testing.T) {
		t.Parallel()
		h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true})
		c := caller(t, testkit.BaresipOptions{})
		c.Dial(h.Number("96777"))
		c.Await(testkit.CallEstablished)
		c.SendDigit('2')
		h.AwaitWaiting("repair", 1)
		c.Hangup()
		h.AwaitWaiting("repair", 0)
		r := over(t, h)
		require.Equal(t, "abandoned", r.Result)
		require.Equal(t, "repair", r.Queue)
		require.Equal(t, "main/2", r.MenuPath)
		require.Len(t, r.Visits, 1)
		require.Equal(t, "abandoned", r.Visits[0].How)
		require.NotNil(t, r.Visits[0].Left)
		require.Empty(t, r.Offers)
		require.Zero(t, r.Rings)
	})
	t.Run("in the queue, the agent's phone ringing", func(t *testing.T) {
		t.Parallel()
		h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: slowRings, Race: true})
		phone := agent(t, h, "8002", testkit.BaresipOptions{})
		c := caller(t, testkit.BaresipOptions{})
		c.Dial(h.Number("96777"))
		c.Await(testkit.CallEstablished)
		c.SendDigit('2')
		phone.Await(testkit.CallIncoming)
		c.Hangup()
		phone.Await(testkit.CallClosed)
		r := over(t, h)
		require.Equal(t, "abandoned", r.Result)
		require.Len(t, r.Offers, 1)
		require.Equal(t, "withdrawn", r.Offers[0].How)
		h.AwaitAgent("8002", "ready")
	})
}

// count is how many different requests of a method went to a port: one that was sent again, for want of
// an answer, is the same.
func count(messages []testkit.SIPPacket, method string, port int) int {
	type request struct {
		callID string
		cseq   int
	}
	found := make(map[request]bool)
	for _, m := range messages {
		if m.Method == method && int(m.Dst.Port()) == port {
			found[request{m.CallID, m.CSeq}] = true
		}
	}
	return len(found)
}
