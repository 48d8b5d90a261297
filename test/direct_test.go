package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// safetyTone stands for the safety prompt, as an operator's own recording of it.
const safetyTone = 700

// TestDirectNumber: the number of the gas alarm has no menu. The caller is rung and answered in the
// instant an agent answers.
func TestDirectNumber(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: slowRings, Race: true})
	phone := agent(t, h, "8003", testkit.BaresipOptions{})
	other := agent(t, h, "8004", testkit.BaresipOptions{})
	wire := h.Capture()
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96119"))
	phone.Await(testkit.CallIncoming)
	other.Await(testkit.CallIncoming)
	c.Await(testkit.CallRinging)
	phone.Accept()
	c.Await(testkit.CallEstablished)
	other.Await(testkit.CallClosed)
	talk(t, h, 0)
	c.Hangup()
	r := over(t, h)
	require.Equal(t, "8003", r.Agent)
	require.Empty(t, r.MenuPath)
	require.Equal(t, "gas-alarm", r.Queue)
	require.Equal(t, 1, r.Rings)

	messages := wire.SIP()
	rung, answered := first(t, messages, 180, c.Port), first(t, messages, 200, c.Port)
	byAgent := first(t, messages, 200, h.SIPPort)
	require.True(t, rung.Before(byAgent), "180 only after the agent's answer")
	require.True(t, byAgent.Before(answered), "200 before the agent's")
	require.Less(t, answered.Sub(rung), 5*time.Second, "not within a ring")
	require.Equal(t, 1, count(messages, "CANCEL", other.Port))
}

// TestDirectNumberNobody: when nobody answers within one ring, the caller is answered all the same, and
// told what to do.
func TestDirectNumberNobody(t *testing.T) {
	t.Parallel()
	prompts := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(prompts, "zh"), 0o755))
	testkit.WriteTone(t, filepath.Join(prompts, "zh", "gas-safety.wav"), safetyTone, 3)
	yaml := fmt.Sprintf("%sprompts: {folder: %s}\n", strings.Replace(city, "{on: 200ms, off: 300ms}", "{on: 500ms, off: 1s}", 1), prompts)
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: yaml, Race: true})
	agent(t, h, "8003", testkit.BaresipOptions{}) // rings on
	wire := h.Capture()
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96119"))
	c.Await(testkit.CallEstablished)
	h.AwaitCall("told for a while", func(r testkit.Record) bool { return time.Since(r.Started) > 8*time.Second })
	c.Hangup()
	r := over(t, h)
	require.Equal(t, "abandoned", r.Result)
	require.NotEmpty(t, r.Offers)
	require.Empty(t, r.Recording)

	messages := wire.SIP()
	rung, answered := first(t, messages, 180, c.Port), first(t, messages, 200, c.Port)
	require.Greater(t, answered.Sub(rung), 1400*time.Millisecond, "before the end of the ring")
	require.Less(t, answered.Sub(rung), 3*time.Second, "after another ring")
	require.True(t, testkit.HasTone(testkit.ReadWAV(t, c.Heard()).Channels[0], safetyTone, time.Second))
}

// first is when the first response to an INVITE with a status passed to a port.
func first(t *testing.T, messages []testkit.SIPPacket, status, port int) time.Time {
	t.Helper()
	for _, m := range messages {
		if m.Status == status && m.CSeqMethod == "INVITE" && int(m.Dst.Port()) == port {
			return m.Time
		}
	}
	t.Fatalf("no %d of an INVITE to port %d", status, port)
	return time.Time{}
}
