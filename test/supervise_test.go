package test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// supervisorTone is what the supervisor's phone says.
const supervisorTone = 1600

// superviseCity is city with a supervisor.
const superviseCity = `
trunks:
  - {name: city, allow: [127.0.0.0/8], numbers: {"96110": {queue: repair}}}
agents:
  - {id: "8002", password: two, skills: {repair: 5}}
  - {id: "9001", password: nine, role: supervisor}
queues:
  repair: {priority: 20, wrap_up: 0s}
targets:
  ring: {on: 200ms, off: 300ms}
`

// TestSupervisor: a supervisor listens, whispers and joins, the mode chosen over the API and by keys; leaves, and comes back
// by dialling a code until the talk ends. In each mode each party, and the recording, has the tones of those who are to be
// heard there, and none of anybody else's, least of all their own; before, between and after the caller and the agent
// hear each other alone.
func TestSupervisor(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: superviseCity, Race: true, Ping: "10m"})
	phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	ear := testkit.StartBaresip(t, testkit.BaresipOptions{
		User: "9001", Password: "nine", Registrar: h.SIP, Register: true, Auto: true, Tone: supervisorTone, Codecs: "PCMU",
	})
	h.AwaitAgent("9001", "ready")
	wire := h.Capture()
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	talk(t, h, 1500*time.Millisecond)
	id := h.Calls()[0].ID

	status, said := h.Post("/api/v1/calls/"+id+"/supervise", `{"phone": "9001", "mode": "listen"}`)
	require.Equal(t, http.StatusAccepted, status, said)
	ear.Await(testkit.CallEstablished)
	supervised(h, id, "listen", 1)
	ear.SendDigit('2')
	supervised(h, id, "whisper", 2)
	status, said = h.Post("/api/v1/calls/"+id+"/supervise", `{"phone": "9001", "mode": "join"}`)
	require.Equal(t, http.StatusOK, status, said)
	supervised(h, id, "join", 3)
	ear.Hangup()
	ear.Await(testkit.CallClosed)
	h.AwaitAgent("9001", "ready")
	h.AwaitCall("left alone", func(r testkit.Record) bool {
		return r.ID == id && r.Supervisions[2].To != nil && time.Since(*r.Supervisions[2].To) > 2500*time.Millisecond
	})
	ear.Dial(h.Number("*418002"))
	ear.Await(testkit.CallEstablished)
	supervised(h, id, "listen", 4)
	c.Hangup()
	ear.Await(testkit.CallClosed)
	h.AwaitCalls(3, "finished", testkit.Finished)
	h.AwaitAgent("9001", "ready")

	r := h.Call(id)
	require.Equal(t, "caller", r.Release)
	require.Empty(t, r.Unrecorded)
	require.InDelta(t, 1, h.Metric("hotline_supervisions_total"), 4, "by mode")
	for _, other := range h.Calls() {
		if other.ID != id {
			require.Equal(t, []string{"supervision", id, "informed", "supervised"},
				[]string{other.Kind, other.Origin, other.Result, other.Reason})
			require.Empty(t, other.Recording)
		}
	}
	supervisedHeard(t, h, r, wire.RTP(), [3]testkit.PortRange{c.RTP, phone.RTP, ear.RTP})
}

// supervised waits until the nth supervision of a call has lasted for a while in a mode.
func supervised(h *testkit.Hotline, id, mode string, n int) {
	h.AwaitCall("supervised: "+mode, func(r testkit.Record) bool {
		return r.ID == id && len(r.Supervisions) == n && r.Supervisions[n-1].Mode == mode &&
			time.Since(r.Supervisions[n-1].From) > 3*time.Second
	})
}

// supervisedHeard checks on the wire, and in the recording, who heard whom in each mode.
func supervisedHeard(t *testing.T, h *testkit.Hotline, r testkit.Record, audio []testkit.RTPPacket, phones [3]testkit.PortRange) {
	t.Helper()
	const settle = 600 * time.Millisecond // for the answer, and the wait of a mix
	w := h.Recording(r.ID)
	recorded := func(channel int, from, to time.Time) []float64 {
		at := func(t time.Time) int { return int(t.Sub(*r.Joined).Seconds() * 8000) }
		samples := w.Channels[channel]
		return samples[min(at(from), len(samples)):min(at(to), len(samples))]
	}
	check := func(what string, from, to time.Time, hears [3][]int) {
		from = from.Add(settle)
		var spoken [3]float64 // the part of the time that each phone filled: one that gets no processor sends gaps
		for i, phone := range phones {
			spoken[i] = min(1, spokenTo(h, audio, from, to, phone.Has).Seconds()/to.Sub(from).Seconds())
		}
		for i, whom := range hears {
			requireTones(t, fmt.Sprintf("%s: heard by %d", what, i), sent(audio, h.MediaPorts, phones[i], from, to), whom, spoken)
		}
		requireTones(t, what+": recorded of the caller", recorded(0, from, to), []int{0}, spoken)
		requireTones(t, what+": recorded of what the caller hears", recorded(1, from, to), hears[0], spoken)
	}
	alone := [3][]int{{1}, {0}, nil}
	modes := map[string][3][]int{
		"listen": {{1}, {0}, {0, 1}}, "whisper": {{1}, {0, 2}, {0, 1}}, "join": {{1, 2}, {0, 2}, {0, 1}},
	}
	at := *r.Joined
	for _, s := range r.Supervisions {
		if s.From.Sub(at) > time.Second {
			check("alone", at, s.From, alone)
		}
		require.Equal(t, "9001", s.By)
		check(s.Mode, s.From, *s.To, modes[s.Mode])
		at = *s.To
	}
}

// requireTones checks whose tones are in samples: of caller, agent, supervisor, each of whom spoke for so much of the time.
func requireTones(t *testing.T, where string, samples []float64, whom []int, spoken [3]float64) {
	t.Helper()
	want := map[int]bool{}
	for _, i := range whom {
		want[i] = true
	}
	for i, hertz := range []float64{callerTone, agentTone, supervisorTone} {
		share := testkit.Carries(samples, hertz)
		if want[i] {
			require.Positive(t, spoken[i])
			require.Greater(t, share, 0.6*spoken[i], "%s: the tone of %d is not heard", where, i)
		} else {
			require.Less(t, share, 0.05, "%s: the tone of %d is heard", where, i)
		}
	}
}
