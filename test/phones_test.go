package test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// flowLost bounds how soon an agent whose phone is known to be gone must not be counted on any more: at once, and long
// before the next ping or the end of the registration.
const flowLost = 20 * time.Second

// TestConnectionCut: the phone of an agent who registered over TCP dies. Its connection ends with it, so
// the agent is offline at once, without a ping; and ready again with the next registration.
func TestConnectionCut(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Ping: "10m"})
	phone := agent(t, h, "8002", testkit.BaresipOptions{Transport: "tcp"})
	phone.Vanish()
	testkit.Within(t, flowLost, "8002 to be offline", func() bool { return state(h, "8002") == "offline" })
	again := agent(t, h, "8002", testkit.BaresipOptions{Transport: "tcp", Auto: true})
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	again.Await(testkit.CallEstablished)
	talk(t, h, 0)
	c.Hangup()
	require.Equal(t, "8002", over(t, h).Agent)
}

// TestUnregister: an agent who goes home is offline, over either transport.
func TestUnregister(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Ping: "10m"})
			phone := agent(t, h, "8002", testkit.BaresipOptions{Transport: transport})
			phone.Quit()
			testkit.Within(t, flowLost, "8002 to be offline", func() bool { return state(h, "8002") == "offline" })
			h.AwaitLog("unregistered")
		})
	}
}

// TestTakeover: an agent who sits down at another desk is rung there, and the first phone no more.
func TestTakeover(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Ping: "10m"})
	first := agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	second := agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	wire := h.Capture()
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	second.Await(testkit.CallEstablished)
	talk(t, h, 0)
	c.Hangup()
	r := over(t, h)
	require.Equal(t, "8002", r.Agent)
	require.Len(t, r.Offers, 1)
	messages := wire.SIP()
	require.Equal(t, 1, count(messages, "INVITE", second.Port))
	require.Zero(t, count(messages, "INVITE", first.Port))
	h.AwaitLog("another phone took the agent's place")
}

// TestAgentCalls: an agent who dials the hotline must prove to be the agent, is talking meanwhile, and is
// offered nothing; whoever waited gets the agent afterwards.
func TestAgentCalls(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true})
	phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	wire := h.Capture()
	phone.Dial(h.Number("96777"))
	phone.Await(testkit.CallEstablished)
	h.AwaitAgent("8002", "talking")

	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	c.Await(testkit.CallEstablished) // after one ring in which nobody was rung
	h.AwaitWaiting("repair", 1)
	require.Equal(t, "talking", state(h, "8002"))
	for _, r := range h.Calls() {
		require.Empty(t, r.Offers, "from %s", r.From)
	}

	phone.Hangup()
	r := h.AwaitCall("joined", func(r testkit.Record) bool { return r.Joined != nil })
	require.Equal(t, "13900001234", r.From)
	c.Hangup()
	records := h.AwaitCalls(2, "finished", testkit.Finished)
	require.Equal(t, "8002", records[1].From)
	require.Equal(t, "abandoned", records[1].Result)
	require.Equal(t, "answered", records[0].Result)
	require.Len(t, records[0].Offers, 1)
	require.False(t, records[0].Offers[0].Ended.Before(*records[1].Ended))

	challenged := false
	for _, m := range wire.SIP() {
		challenged = challenged || m.CSeqMethod == "INVITE" && (m.Status == 401 || m.Status == 407) && int(m.Dst.Port()) == phone.Port
	}
	require.True(t, challenged, "the agent was believed without proof")
}

// state is what the API says an agent does.
func state(h *testkit.Hotline, id string) string {
	for _, a := range h.Agents() {
		if a.ID == id {
			return a.State
		}
	}
	return ""
}

// TestAgentVanishesInTalk: the phone of an agent who talks loses its power. Its flow is found lost by pings, its dialog is
// asked and says nothing, and the caller goes to the head of the queue, before one who waited longer; is told that the
// connection was lost; and has the next agent.
func TestAgentVanishesInTalk(t *testing.T) {
	t.Parallel()
	prompts := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(prompts, "zh"), 0o755))
	testkit.WriteTone(t, filepath.Join(prompts, "zh", "apology-lost.wav"), apologyTone, 3)
	h := testkit.StartHotline(t, testkit.HotlineOptions{
		YAML: city + "prompts: {folder: " + prompts + "}\n", Race: true, Ping: "1s", T1: 50 * time.Millisecond,
	})
	first := agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	talk(t, h, 0)
	other := caller(t, testkit.BaresipOptions{User: "13900005678"})
	other.Dial(h.Number("96110"))
	h.AwaitWaiting("repair", 1)
	first.Vanish()
	h.AwaitWaiting("repair", 2)
	h.AwaitCall("told of it for a while", func(r testkit.Record) bool {
		return len(r.Visits) == 2 && time.Since(r.Visits[1].Entered) > 3*time.Second
	})
	testkit.StartBaresip(t, testkit.BaresipOptions{
		User: "8003", Password: passwords["8003"], Registrar: h.SIP, Register: true, Auto: true, Tone: agentTone,
	})
	talkWith(t, h, "8003", 0)
	require.Equal(t, "offline", state(h, "8002"))
	h.AwaitWaiting("repair", 1)
	other.Hangup()
	c.Hangup()
	records := h.AwaitCalls(2, "finished", testkit.Finished)
	require.Equal(t, []string{"13900005678", "13900001234"}, []string{records[0].From, records[1].From})
	require.Equal(t, "abandoned", records[0].Result)
	r := records[1]
	require.Len(t, r.Talks, 2)
	require.Equal(t, []string{"8002", "8003"}, []string{r.Talks[0].Agent, r.Talks[1].Agent})
	require.Equal(t, []string{"answered", "caller"}, []string{r.Result, r.Release})
	require.True(t, testkit.HasTone(testkit.ReadWAV(t, c.Heard()).Channels[0], apologyTone, time.Second), "no apology")
}

// apologyTone stands for the apology to a caller whose agent was lost, as an operator's own recording of it.
const apologyTone = 700
