package test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestHold: the agent puts the caller on hold and takes them back. Meanwhile the caller hears music and
// not the agent; the record has the time that the wire had; afterwards both hear each other as before.
func TestHold(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Ping: "10m"})
			phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true, Transport: transport})
			wire := h.Capture()
			c := caller(t, testkit.BaresipOptions{})
			c.Dial(h.Number("96110"))
			talk(t, h, 1500*time.Millisecond)
			held := holdFor(t, h, phone.Hold, phone.Resume, 2*time.Second, 1500*time.Millisecond)
			c.Hangup()
			phone.Await(testkit.CallClosed)
			r := over(t, h)
			require.Equal(t, held.ID, r.ID)
			require.Len(t, r.Talks[0].Holds, 1)

			from, to := reoffers(t, wire.SIP(), h)
			require.InDelta(t, to.Sub(from).Seconds(), r.HoldSeconds, oneCall)
			require.GreaterOrEqual(t, r.TalkSeconds, r.HoldSeconds)
			w := h.Recording(r.ID)
			require.InDelta(t, r.Ended.Sub(*r.Joined).Seconds(), w.Duration().Seconds(), oneCall)

			const settle = 300 * time.Millisecond // for the answer, and what was on its way
			audio := wire.RTP()
			before, during, after := from.Add(-time.Second), from.Add(settle), to.Add(settle)
			toCaller := func(a, b time.Time) []float64 { return sent(audio, h.MediaPorts, c.RTP, a, b) }
			toAgent := func(a, b time.Time) []float64 { return sent(audio, h.MediaPorts, phone.RTP, a, b) }
			end := to.Add(1400 * time.Millisecond)
			require.Greater(t, testkit.Tone(toCaller(before, from), agentTone), 0.9)
			require.Greater(t, testkit.Tone(toAgent(before, from), callerTone), 0.9)
			music := toCaller(during, to)
			require.Zero(t, testkit.Tone(music, agentTone), "the caller on hold hears the agent")
			require.Greater(t, loudness(music), 1e-5, "the caller on hold hears nothing")
			require.Zero(t, testkit.Tone(toAgent(during, to), callerTone), "the agent hears the caller on hold")
			require.Greater(t, testkit.Tone(toCaller(after, end), agentTone), 0.9)
			require.Greater(t, testkit.Tone(toAgent(after, end), callerTone), 0.9)
		})
	}
}

// holdFor has an agent hold the only call's caller for so long, take them back, and talk for so long after it; it returns the
// record as it was on hold.
func holdFor(t *testing.T, h *testkit.Hotline, hold, resume func(), lasting, after time.Duration) (held testkit.Record) {
	t.Helper()
	hold()
	held = h.AwaitCall("held", func(r testkit.Record) bool { return holding(r, lasting) })
	resume()
	h.AwaitCall("taken back", func(r testkit.Record) bool {
		to := r.Talks[0].Holds[0].To
		return to != nil && time.Since(*to) >= after
	})
	return held
}

// holding is whether a call has been on hold for so long.
func holding(r testkit.Record, lasting time.Duration) bool {
	return len(r.Talks) == 1 && len(r.Talks[0].Holds) == 1 && time.Since(r.Talks[0].Holds[0].From) >= lasting
}

// reoffers are when the agent's two re-INVITEs first passed: in dialog, to the hotline.
func reoffers(t *testing.T, messages []testkit.SIPPacket, h *testkit.Hotline) (hold, resume time.Time) {
	t.Helper()
	var times []time.Time
	var last int
	for _, m := range messages {
		if m.Method == "INVITE" && m.ToTag != "" && int(m.Dst.Port()) == h.SIPPort && m.CSeq != last {
			times, last = append(times, m.Time), m.CSeq
		}
	}
	require.Len(t, times, 2, "re-INVITEs")
	return times[0], times[1]
}

// sent is the audio that passed from ports to others within a time.
func sent(audio []testkit.RTPPacket, src, dst testkit.PortRange, from, to time.Time) []float64 {
	var samples []float64
	for _, p := range audio {
		if src.Has(p.Src.Port()) && dst.Has(p.Dst.Port()) && !p.Time.Before(from) && p.Time.Before(to) {
			samples = slices.Concat(samples, p.Samples())
		}
	}
	return samples
}

// loudness is the mean square of samples.
func loudness(samples []float64) float64 {
	sum := 0.0
	for _, s := range samples {
		sum += s * s
	}
	return sum / float64(max(1, len(samples)))
}

// TestCallerHolds: a caller who puts the hotline on hold, and takes it back, is where they were; it is no hold of the
// agent's.
func TestCallerHolds(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Ping: "10m"})
	phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	wire := h.Capture()
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	talk(t, h, 500*time.Millisecond)
	c.Hold()
	talk(t, h, 2*time.Second)
	c.Resume()
	talk(t, h, 4*time.Second)
	c.Hangup()
	phone.Await(testkit.CallClosed)
	r := over(t, h)
	require.Empty(t, r.Talks[0].Holds)
	require.Zero(t, r.HoldSeconds)
	_, to := reoffers(t, wire.SIP(), h)
	audio := wire.RTP()
	after := to.Add(300 * time.Millisecond)
	require.Greater(t, testkit.Tone(sent(audio, h.MediaPorts, phone.RTP, after, *r.Ended), callerTone), 0.9)
	require.Greater(t, testkit.Tone(sent(audio, h.MediaPorts, c.RTP, after, *r.Ended), agentTone), 0.9)
}
