package test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// outward is city with a queue whose callers may ask to be called back, through a carrier at a port.
func outward(port int) string {
	yaml := strings.Replace(city, `"96110": {queue: repair}}`, fmt.Sprintf(
		`"96110": {queue: repair}}`+"\n    address: udp://127.0.0.1:%d\n    from: \"96777\"\ndial:\n  - {prefix: \"139\", through: city}", port), 1)
	return strings.Replace(yaml, "repair:    {", `repair:    {keys: {"1": {callback: true}}, `, 1)
}

// TestCallback: a caller asks by key to be called back, and hangs up; the hotline is killed meanwhile. When an agent
// is there, the agent is rung, then the caller through the trunk, and they talk.
func TestCallback(t *testing.T) {
	t.Parallel()
	carrier := testkit.StartAgent(t, testkit.SippAgent{Tone: thirdTone})
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: outward(carrier.Port), Race: true, Ping: "10m"})
	c := caller(t, testkit.BaresipOptions{User: "13900000001"})
	c.Dial(h.Number("96110"))
	c.Await(testkit.CallEstablished) // after one ring
	h.AwaitWaiting("repair", 1)
	c.SendDigit('1')
	h.AwaitWaiting("repair", 0)
	c.SendDigit('1')
	c.Await(testkit.CallClosed)
	asked := h.AwaitCall("finished", testkit.Finished)
	require.Equal(t, []string{"callback", "callback"}, []string{asked.Result, asked.Reason})
	require.NotEmpty(t, asked.Callback)
	h.AwaitWaiting("repair", 1) // nobody is on the line, and the place is kept
	h.AwaitStored()
	h.Kill()
	h.Start()
	h.AwaitWaiting("repair", 1)

	wire := h.Capture()
	phone := testkit.StartBaresip(t, testkit.BaresipOptions{
		User: "8002", Password: passwords["8002"], Registrar: h.SIP, Register: true, Auto: true, Tone: agentTone,
	})
	r := h.AwaitCall("joined", func(r testkit.Record) bool { return r.Joined != nil })
	require.Equal(t, []string{"callback", asked.Callback, asked.ID}, []string{r.Kind, r.Callback, r.Origin})
	require.Equal(t, "13900000001", r.From)
	require.Equal(t, "8002", r.Agent)
	require.True(t, r.Visits[0].Entered.Equal(asked.Visits[0].Entered), "the place of before")
	for _, m := range wire.SIP() {
		if m.Method == "INVITE" && int(m.Dst.Port()) == carrier.Port {
			require.Equal(t, "96777", m.From)
			require.Equal(t, "13900000001", m.To)
		}
	}
	phone.Hangup()
	require.Zero(t, carrier.Wait(), carrier.Messages())
	require.InDelta(t, 0, h.Metric("hotline_callbacks_open"), 0)
	require.InDelta(t, 1, h.Metric(`hotline_callbacks_total{outcome="reached"}`), 0)
	require.NotContains(t, h.Log(), "13900000001")
}

// surveyed is city with a queue whose callers are asked how the service was.
var surveyed = strings.Replace(strings.Replace(city, "repair:    {", "repair:    {survey: how, ", 1), "menus:\n",
	"menus:\n  how: {kind: survey, second: survey-solved, wait: 10s}\n", 1)

// TestSurvey: an agent hands the caller over to the survey, by its code pressed in the talk, by RFC 4733 and by SIP INFO,
// and by a transfer to it; the caller answers by keys.
func TestSurvey(t *testing.T) {
	t.Parallel()
	for name, hand := range map[string]struct {
		mode string
		do   func(h *testkit.Hotline, phone *testkit.Baresip)
	}{
		"keys":       {"", func(_ *testkit.Hotline, phone *testkit.Baresip) { phone.SendDigit('*'); phone.SendDigit('9') }},
		"keys, INFO": {"info", func(_ *testkit.Hotline, phone *testkit.Baresip) { phone.SendDigit('*'); phone.SendDigit('9') }},
		"transfer":   {"", func(h *testkit.Hotline, phone *testkit.Baresip) { phone.Transfer(h.Number("*9")) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: surveyed, Race: true, Ping: "10m"})
			phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true, DTMFMode: hand.mode})
			wire := h.Capture()
			c := caller(t, testkit.BaresipOptions{})
			c.Dial(h.Number("96110"))
			talkWith(t, h, "8002", 0)
			hand.do(h, phone)
			phone.Await(testkit.CallClosed)
			h.AwaitAgent("8002", "ready")
			scored := func(n int) func(testkit.Record) bool {
				return func(r testkit.Record) bool { return len(r.Survey) == n }
			}
			c.SendDigit('4')
			h.AwaitCall("one score", scored(1))
			c.SendDigit('1')
			h.AwaitCall("two scores", scored(2))
			c.Await(testkit.CallClosed)
			r := over(t, h)
			require.Equal(t, []string{"answered", "menu", "system"}, []string{r.Result, r.Reason, r.Release})
			require.Equal(t, "system", r.Talks[0].Release, "no hang-up of the agent's")
			require.Equal(t, []int{4, 1}, []int{r.Survey[0].Score, r.Survey[1].Score})
			require.Equal(t, []string{"survey", "survey-solved"}, []string{r.Survey[0].Question, r.Survey[1].Question})
			require.Equal(t, "8002", r.Survey[0].Agent)
			require.InDelta(t, 0, h.Metric(`hotline_agent_hangups_total{queue="repair"}`), 0)
			require.InDelta(t, 1, h.Metric(`hotline_survey_score_count{question="survey",queue="repair"}`), 0)
			if name == "transfer" {
				require.Equal(t, []string{"100", "200"}, slices.Compact(ends(notified(t, wire, h))))
			}
		})
	}
}

// night is city with a number that takes messages.
var night = strings.Replace(strings.Replace(city, `"96110": {queue: repair}}`, `"96110": {queue: repair}, "96111": {menu: night}}`, 1),
	"menus:\n", "menus:\n  night: {kind: voicemail, queue: repair, max: 1m, silence: 5s}\n", 1)

// TestVoicemail: a caller leaves a message, ended by the key, by hanging up, or cut off when the hotline is killed: the
// caller's audio alone is kept, and found again.
func TestVoicemail(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"key", "hang-up", "kill"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: night, Ping: "10m"})
			c := caller(t, testkit.BaresipOptions{})
			c.Dial(h.Number("96111"))
			began := h.AwaitCall("leaving a message", func(r testkit.Record) bool { return r.Message != nil })
			file := filepath.Join(h.Data, "recordings", began.Message.Name)
			testkit.Within(t, testkit.Patience, "two seconds of it to be on the disk", func() bool {
				info, err := os.Stat(file)
				return err == nil && info.Size() > 2*2*8000
			})
			switch how {
			case "key":
				c.SendDigit('#')
				c.SendDigit('1') // and keeps it
				c.Await(testkit.CallClosed)
			case "hang-up":
				c.Hangup()
			case "kill":
				h.AwaitStored()
				h.Kill()
				h.Start()
			}
			r := h.AwaitCall("finished", testkit.Finished)
			require.Equal(t, began.Message.Name, r.Message.Name)
			require.Equal(t, "repair", r.Message.Queue)
			w := testkit.ReadWAV(t, file)
			require.Greater(t, w.Duration(), 1500*time.Millisecond)
			require.Greater(t, testkit.Tone(w.Channels[0], callerTone), 0.9, "the caller is not heard")
			require.Zero(t, testkit.Tone(w.Channels[1], callerTone), "somebody else is")
			require.Empty(t, r.Recording)
			require.Equal(t, "message", r.Result)
			require.Contains(t, string(h.Get("/api/v1/messages")), r.ID)
			if how != "kill" {
				require.InDelta(t, 3, r.Message.Seconds, 1)
			}
		})
	}
}
