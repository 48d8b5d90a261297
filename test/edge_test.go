package test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestBehindKamailio: callers and agents reach the hotline through an edge proxy that stays in every dialog by
// Record-Route (RFC 3261 section 16.6). What belongs to a dialog goes by its route set, both ways: ACK, hold, BYE.
func TestBehindKamailio(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Ping: "10m"})
	edge := testkit.StartKamailio(t, h.SIP)
	wire := h.Capture()
	phone := testkit.StartBaresip(t, testkit.BaresipOptions{
		User: "8002", Password: passwords["8002"], Registrar: edge.Addr, Register: true, Auto: true, Tone: agentTone,
	})
	h.AwaitAgent("8002", "ready")

	t.Run("the caller hangs up", func(t *testing.T) {
		c := caller(t, testkit.BaresipOptions{})
		c.Dial("sip:96110@" + edge.Addr)
		c.Await(testkit.CallEstablished)
		phone.Await(testkit.CallEstablished)
		h.AwaitCall("joined", func(r testkit.Record) bool { return r.Joined != nil })
		holdFor(t, h, phone.Hold, phone.Resume, 0, 0)
		c.Hangup()
		phone.Await(testkit.CallClosed)
		r := h.AwaitCall("finished", testkit.Finished)
		require.Equal(t, "caller", r.Release)
		require.Len(t, r.Talks[0].Holds, 1)
	})
	t.Run("the agent hangs up", func(t *testing.T) {
		c := caller(t, testkit.BaresipOptions{User: "13900005678"})
		c.Dial("sip:96110@" + edge.Addr)
		c.Await(testkit.CallEstablished)
		phone.Await(testkit.CallEstablished)
		h.AwaitCall("joined", func(r testkit.Record) bool { return r.Joined != nil && r.From == "13900005678" })
		phone.Hangup()
		c.Await(testkit.CallClosed)
		records := h.AwaitCalls(2, "finished", testkit.Finished)
		require.Equal(t, "agent", records[0].Release)
	})
	t.Run("the caller gives up", func(t *testing.T) {
		manual := testkit.StartBaresip(t, testkit.BaresipOptions{
			User: "8003", Password: passwords["8003"], Registrar: edge.Addr, Register: true,
		})
		h.AwaitAgent("8003", "ready")
		c := caller(t, testkit.BaresipOptions{User: "13900007777"})
		c.Dial("sip:96119@" + edge.Addr)
		manual.Await(testkit.CallIncoming)
		c.Hangup()
		manual.Await(testkit.CallClosed)
		h.AwaitCalls(3, "finished", testkit.Finished)
	})
	for _, m := range wire.SIP() {
		if int(m.Src.Port()) == h.SIPPort && m.Method != "" {
			require.Equal(t, edge.Port, int(m.Dst.Port()), "%s does not go by its route set", m)
		}
	}
}
