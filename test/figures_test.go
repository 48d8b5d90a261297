package test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestFiguresAgreeWithTheWire makes ten calls, one after another, with a binary without the race
// detector, and holds each record and recording against what tshark saw. The medians must agree within
// 20 ms (60 ms for the recording's length), and rings exactly. Other tests run beside it, which a median does not feel.
func TestFiguresAgreeWithTheWire(t *testing.T) {
	t.Parallel()
	const calls = 10
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Ping: "10m"})
	phone := testkit.StartAgent(t, testkit.SippAgent{
		User: "8002", Password: passwords["8002"], Registrar: h.SIP, Calls: calls,
		After: 700 * time.Millisecond, // so in the second ring
		Tone:  agentTone,
	})
	h.AwaitAgent("8002", "ready")
	wire := h.Capture()
	for i := range calls {
		c := testkit.StartCaller(t, testkit.SippCaller{
			To: h.SIP, Number: "96777", From: fmt.Sprintf("139000000%02d", i),
			Keys: "2", KeyEvery: 300 * time.Millisecond, Tone: callerTone, HangUpAfter: 6500 * time.Millisecond,
		})
		require.Zero(t, c.Wait(), c.Messages())
		h.AwaitCalls(i+1, "finished", testkit.Finished)
		h.AwaitAgent("8002", "ready")
	}

	truth := readTruth(t, wire, h, phone.Port)
	records := h.AwaitCalls(calls, "finished", testkit.Finished)
	require.Len(t, truth, calls)
	var wait, talk, recording []float64
	for _, r := range records {
		w, ok := truth[r.From]
		require.True(t, ok, r.From)
		const cycle = 500 * time.Millisecond
		require.Equal(t, int(w.answered.Sub(w.rung)/cycle)+1, r.Rings, "rings of %s", r.From)
		require.GreaterOrEqual(t, r.Rings, 2)
		wait = append(wait, r.WaitSeconds-w.answered.Sub(w.key).Seconds())
		talk = append(talk, r.TalkSeconds-w.ended.Sub(w.answered).Seconds())
		recording = append(recording, h.Recording(r.ID).Duration().Seconds()-w.ended.Sub(w.joined).Seconds())
	}
	t.Logf("off by, ms: wait %s; talk %s; recording %s", milliseconds(wait), milliseconds(talk), milliseconds(recording))
	require.Less(t, medianOff(wait), 0.020)
	require.Less(t, medianOff(talk), 0.020)
	require.Less(t, medianOff(recording), 0.060)
}

// seen is one call as the wire had it.
type seen struct {
	key      time.Time // first packet of the caller's key
	rung     time.Time // the agent's first 180
	answered time.Time // the agent's 200
	joined   time.Time // first packet to the caller that has the agent's voice
	ended    time.Time // the caller's BYE
}

// readTruth takes the capture apart. Calls do not overlap, so each is what lies between a caller's
// INVITE and its BYE.
func readTruth(t *testing.T, wire *testkit.Capture, h *testkit.Hotline, agentPort int) map[string]seen {
	t.Helper()
	found := make(map[string]seen)
	audio := wire.RTP()
	voice := agentVoice(t, audio, agentPort)
	from, begun := "", time.Time{}
	var s seen
	for _, m := range wire.SIP() {
		in := int(m.Dst.Port()) == h.SIPPort
		switch {
		case in && m.Method == "INVITE" && m.To == "96777":
			from, begun, s = m.From, m.Time, seen{}
		case in && m.Status == 180 && s.rung.IsZero():
			s.rung = m.Time
		case in && m.Status == 200 && m.CSeqMethod == "INVITE" && s.answered.IsZero():
			s.answered = m.Time
		case in && m.Method == "BYE" && m.From == from:
			s.ended = m.Time
			s.key, s.joined = heard(audio, begun, m.Time, h, voice)
			found[from] = s
		}
	}
	for number, s := range found {
		for name, at := range map[string]time.Time{"key": s.key, "180": s.rung, "200": s.answered, "voice": s.joined} {
			require.False(t, at.IsZero(), "no %s of %s on the wire", name, number)
		}
	}
	return found
}

// heard finds when the key and the agent's voice passed between two instants.
func heard(audio []testkit.RTPPacket, from, to time.Time, h *testkit.Hotline, voice map[string]bool) (key, joined time.Time) {
	for _, p := range audio {
		if p.Time.Before(from) || p.Time.After(to) {
			continue
		}
		fromUs := h.MediaPorts.Has(p.Src.Port())
		switch {
		case !fromUs && p.Event == 2 && key.IsZero():
			key = p.Time
		case fromUs && joined.IsZero() && voice[string(p.Payload)]:
			joined = p.Time
		}
	}
	return key, joined
}

// agentVoice is the audio of every packet that the agent sent: pieces of one tone, which no prompt has.
func agentVoice(t *testing.T, audio []testkit.RTPPacket, agentPort int) map[string]bool {
	t.Helper()
	voice := make(map[string]bool)
	for _, p := range audio {
		if port := int(p.Src.Port()); port > agentPort && port < agentPort+10 && p.Event < 0 {
			voice[string(p.Payload)] = true
		}
	}
	require.NotEmpty(t, voice, "the agent said nothing")
	return voice
}

// medianOff is the median of how far off figures are, whichever way.
func medianOff(seconds []float64) float64 {
	off := make([]float64, len(seconds))
	for i, s := range seconds {
		off[i] = math.Abs(s)
	}
	slices.Sort(off)
	return (off[(len(off)-1)/2] + off[len(off)/2]) / 2
}

func milliseconds(seconds []float64) string {
	var b bytes.Buffer
	for _, s := range seconds {
		fmt.Fprintf(&b, "%.1f ", 1000*s)
	}
	return b.String()
}
