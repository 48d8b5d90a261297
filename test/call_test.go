package test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestWholeCall: a caller presses 2 in the menu, is put through, both hear each other and nobody
// else, and the record and the recording say so; by both ways to press a key, over both transports.
func TestWholeCall(t *testing.T) {
	t.Parallel()
	for name, way := range map[string]struct{ transport, dtmf string }{
		"udp, RFC 4733": {"udp", "rtpevent"},
		"udp, INFO":     {"udp", "info"},
		"tcp, RFC 4733": {"tcp", "rtpevent"},
		"tcp, INFO":     {"tcp", "info"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true})
			phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true, Transport: way.transport})
			c := caller(t, testkit.BaresipOptions{Transport: way.transport, DTMFMode: way.dtmf})
			c.Dial(h.Number("96777") + ";transport=" + way.transport)
			c.Await(testkit.CallEstablished)
			c.SendDigit('2')
			phone.Await(testkit.CallEstablished)
			bothSpeak(t, h, 1500*time.Millisecond)
			c.Hangup()
			phone.Await(testkit.CallClosed)

			r := over(t, h)
			require.Equal(t, "13900001234", r.From)
			require.Equal(t, "96777", r.To)
			require.Equal(t, "main/2", r.MenuPath)
			require.Equal(t, "repair", r.Queue)
			require.Equal(t, "8002", r.Agent)
			require.Equal(t, "answered", r.Result)
			require.Equal(t, "caller-hangup", r.Reason)
			require.Equal(t, "caller", r.Release)
			require.Equal(t, 1, r.Rings)
			require.Len(t, r.Visits, 1)
			require.Len(t, r.Offers, 1)
			require.Len(t, r.Talks, 1)
			require.NotEmpty(t, r.Recording)

			hears(t, testkit.ReadWAV(t, c.Heard()).Channels[0], agentTone, callerTone)
			hears(t, testkit.ReadWAV(t, phone.Heard()).Channels[0], callerTone, agentTone)
			w := h.Recording(r.ID)
			require.Equal(t, 6, w.Format, "A-law (RFC 2361)")
			require.Len(t, w.Channels, 2)
			hears(t, w.Channels[0], callerTone, agentTone)
			hears(t, w.Channels[1], agentTone, callerTone)
			spoken := min(time.Duration(r.Legs[1].In)*20*time.Millisecond, w.Duration())
			require.True(t, testkit.HasTone(w.Channels[1], agentTone, spoken*7/10), "of all that the agent's phone said")
			require.InDelta(t, r.Ended.Sub(*r.Joined).Seconds(), w.Duration().Seconds(), oneCall)
		})
	}
}

// oneCall is how far a single call's times and lengths may be off, in seconds, on a machine that does much else besides. How
// exact they are the median of ten shows: TestFiguresAgreeWithTheWire.
const oneCall = 0.4

// talk waits until the only call's parties were joined for a while.
func talk(t *testing.T, h *testkit.Hotline, lasting time.Duration) {
	t.Helper()
	h.AwaitCall("talking", func(r testkit.Record) bool {
		return r.Joined != nil && time.Since(*r.Joined) >= lasting
	})
}

// bothSpeak is talk, and waits until the hotline has recorded so much of each party's tone: a phone that gets no processor
// sends nothing, for which the hotline cannot make up.
func bothSpeak(t *testing.T, h *testkit.Hotline, atLeast time.Duration) {
	t.Helper()
	talk(t, h, atLeast)
	testkit.Within(t, 3*testkit.Patience, "both parties to have spoken", func() bool {
		text, err := os.ReadFile(filepath.Join(h.Data, "recordings", h.Calls()[0].Recording))
		require.NoError(t, err)
		w, err := testkit.ParseWAV(text) // its header is brought up to date once a second
		require.NoError(t, err)
		return testkit.HasTone(w.Channels[0], callerTone, atLeast) && testkit.HasTone(w.Channels[1], agentTone, atLeast)
	})
}

// hears wants a second of one tone, and none of the other.
func hears(t *testing.T, samples []float64, tone, absent float64) {
	t.Helper()
	require.True(t, testkit.HasTone(samples, tone, time.Second),
		"%v Hz in %.0f %% of %d samples", tone, 100*testkit.Tone(samples, tone), len(samples))
	require.Zero(t, testkit.Tone(samples, absent), "%v Hz", absent)
}
