package test

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestKilledInMidCall: kill -9 while two people talk. After the next start the record is closed with
// reason crash, and what was said up to the last second can be heard.
func TestKilledInMidCall(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city})
	agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	talk(t, h, 4*time.Second)
	h.AwaitStored()
	killed := time.Now()
	h.Kill()
	h.Start()

	r := over(t, h)
	require.Equal(t, "crash", r.Reason)
	require.NotEmpty(t, r.Recording)
	w := h.Recording(r.ID)
	require.GreaterOrEqual(t, w.Duration(), killed.Sub(*r.Joined)-2*time.Second, "up to the last second, and one more for a busy machine")
	hears(t, w.Channels[0], callerTone, agentTone)
	hears(t, w.Channels[1], agentTone, callerTone)
	require.False(t, r.Ended.Before(*r.Joined))
	require.False(t, r.Ended.After(time.Now()))
}

// TestKilledWhileWaiting: kill -9 while a caller waits in a queue. Nobody served them, and the record
// says so and why.
func TestKilledWhileWaiting(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city})
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96777"))
	c.Await(testkit.CallEstablished)
	c.SendDigit('2')
	h.AwaitWaiting("repair", 1)
	h.AwaitWritten()
	h.Kill()
	h.Start()
	r := over(t, h)
	require.Equal(t, "failed", r.Result)
	require.Equal(t, "crash", r.Reason)
	require.Equal(t, "repair", r.Queue)
	require.Len(t, r.Visits, 1)
	require.NotNil(t, r.Visits[0].Left)
	require.Empty(t, r.Recording)
	h.AwaitWaiting("repair", 0)
}

// TestDrain: after SIGTERM new calls get 503, never with Retry-After, and so do those who only ask
// (OPTIONS); the live one goes on to its own
// end, and then the process ends clean.
func TestDrain(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true})
	phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	talk(t, h, 0)
	h.Signal(syscall.SIGTERM)
	testkit.Within(t, testkit.Patience, "it to say that it drains", func() bool { return !h.Ready() })
	late := testkit.StartCaller(t, testkit.SippCaller{To: h.SIP, Number: "96110", From: "13900005678", Expect: 503})
	require.Zero(t, late.Wait(), late.Messages())
	require.NotContains(t, late.Messages(), "Retry-After")
	raw := testkit.DialRaw(t, h.SIP)
	asked := raw.Ask(raw.Request("OPTIONS", nil))
	require.Equal(t, 503, asked.Status)
	require.Empty(t, asked.Header("Retry-After"))
	talk(t, h, 2*time.Second)
	c.Hangup()
	phone.Await(testkit.CallClosed)
	require.Zero(t, h.ExitCode())
	hears(t, testkit.ReadWAV(t, c.Heard()).Channels[0], agentTone, callerTone)

	h.Start()
	r := h.AwaitCall("talked", func(r testkit.Record) bool { return r.Result == "answered" })
	require.Equal(t, "caller-hangup", r.Reason)
}

// TestSecondSignal: the second SIGTERM ends live calls now, with BYE to both.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true})
	phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	talk(t, h, 0)
	h.Signal(syscall.SIGTERM)
	testkit.Within(t, testkit.Patience, "it to say that it drains", func() bool { return !h.Ready() })
	h.Signal(syscall.SIGTERM)
	c.Await(testkit.CallClosed)
	phone.Await(testkit.CallClosed)
	require.Zero(t, h.ExitCode())
	h.Start()
	r := over(t, h)
	require.Equal(t, "shutdown", r.Reason)
	require.Equal(t, "system", r.Release)
}
