package test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestKeysOfLinphone: a second make of telephone presses 2 in the menu, in each of the three ways: by RFC 4733, by SIP
// INFO, and, without telephone-events, as tones in what it says. Each is one key. What it presses in the talk reaches the
// agent's phone as one event, unless it has none to send. The caller is a phone that registers: linphone names another
// address of the machine, and IPv6, where it calls without.
func TestKeysOfLinphone(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]string{"RFC 4733": "rtpevent", "INFO": "info", "tones": "none"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true})
			phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
			wire := h.Capture()
			o := testkit.LinphonecOptions{
				User: "8003", Password: passwords["8003"], Registrar: h.SIP, DTMFMode: mode, Tone: callerTone,
			}
			if mode == "none" {
				o.Says = filepath.Join(t.TempDir(), "key.wav")
				testkit.WriteKey(t, o.Says, '2', 2*time.Second, callerTone, 60)
			}
			c := testkit.StartLinphonec(t, o)
			h.AwaitAgent("8003", "ready")
			c.Dial("96777", h.SIP)
			h.AwaitCall("in the menu", func(r testkit.Record) bool { return r.To == "96777" })
			if mode != "none" {
				c.Await("Media streams established") // or it says that there is no call to press keys in
				c.SendDigit('2')
			}
			phone.Await(testkit.CallEstablished)
			talk(t, h, 1500*time.Millisecond)
			if mode != "none" {
				c.SendDigit('5')
				testkit.Within(t, testkit.Patience, "5 at the agent's phone", func() bool { return len(eventsAt(wire, phone)) > 0 })
				talk(t, h, 3*time.Second)
			}
			phone.Hangup()
			r := over(t, h)
			require.Equal(t, "main/2", r.MenuPath)
			require.Len(t, r.Visits, 1)
			hears(t, testkit.ReadWAV(t, phone.Heard()).Channels[0], callerTone, agentTone)
			if mode != "none" {
				require.Equal(t, []int{5}, eventsAt(wire, phone), "one event of one key")
			}
		})
	}
}

// eventsAt are the telephone-events that a phone was sent, once each: by their timestamps.
func eventsAt(wire *testkit.Capture, phone *testkit.Baresip) (events []int) {
	seen := make(map[uint32]bool)
	for _, p := range wire.RTP() {
		if port := int(p.Dst.Port()); port < phone.RTP.First || port > phone.RTP.Last || p.Event < 0 || seen[p.Timestamp] {
			continue
		}
		seen[p.Timestamp] = true
		events = append(events, p.Event)
	}
	return events
}
