package test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestAgentFreezesInTalk: an agent's phone hangs in a talk, and is still registered. Nothing is heard of it, it is asked
// within its dialog and does not answer: the caller hears the apology and has the next agent.
func TestAgentFreezesInTalk(t *testing.T) {
	t.Parallel()
	prompts := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(prompts, "zh"), 0o755))
	testkit.WriteTone(t, filepath.Join(prompts, "zh", "apology-lost.wav"), apologyTone, 3)
	h := testkit.StartHotline(t, testkit.HotlineOptions{
		YAML: city + "prompts: {folder: " + prompts + "}\n", Race: true, Ping: "10m", T1: 50 * time.Millisecond, MediaTimeout: "2s",
	})
	first := agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	talkWith(t, h, "8002", time.Second)
	wire := h.Capture()
	frozen := time.Now()
	first.Freeze()
	h.AwaitCall("told of it for a while", func(r testkit.Record) bool {
		return len(r.Visits) == 2 && time.Since(r.Visits[1].Entered) > 3*time.Second
	})
	testkit.StartBaresip(t, testkit.BaresipOptions{
		User: "8003", Password: passwords["8003"], Registrar: h.SIP, Register: true, Auto: true, Tone: agentTone,
	})
	talkWith(t, h, "8003", time.Second)
	c.Hangup()
	r := over(t, h)
	require.Len(t, r.Talks, 2)
	require.GreaterOrEqual(t, r.Talks[0].Ended.Sub(frozen), 2*time.Second, "it was asked before it was given up")
	require.Equal(t, []string{"answered", "caller"}, []string{r.Result, r.Release})
	require.Len(t, r.Legs, 3)
	require.Equal(t, "8002", r.Legs[1].Agent)
	require.True(t, r.Legs[1].NoMedia)
	require.NotZero(t, r.Legs[1].Silent)
	require.False(t, r.Legs[0].NoMedia)
	require.False(t, r.Legs[2].NoMedia)
	require.NotZero(t, count(wire.SIP(), "INVITE", first.Port)+count(wire.SIP(), "UPDATE", first.Port), "asked")
	require.InDelta(t, 1, h.Metric(`hotline_leg_silent_total{outcome="lost",role="agent"}`), 0)
	require.True(t, testkit.HasTone(testkit.ReadWAV(t, c.Heard()).Channels[0], apologyTone, time.Second), "no apology")
}

// TestMutedCallerIsNotCut: a caller's phone that sends neither audio nor reports is asked again and again, answers each
// time, and is on the line for as long as it likes.
func TestMutedCallerIsNotCut(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, MediaTimeout: "2s"})
	agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	wire := h.Capture()
	phone := testkit.StartPhone(t, testkit.PhoneOptions{Hotline: h.SIP, User: "13900001234", Updates: true})
	c := phone.Call("96110")
	c.Await(testkit.Talking)
	h.AwaitCall("silent thrice", func(r testkit.Record) bool {
		return r.Joined != nil && r.Ended == nil && len(r.Legs) == 2 && r.Legs[0].Silent >= 3
	})
	c.Hangup()
	r := over(t, h)
	require.Equal(t, []string{"answered", "caller-hangup"}, []string{r.Result, r.Reason})
	require.Equal(t, "caller", r.Legs[0].Role)
	require.False(t, r.Legs[0].NoMedia)
	require.Zero(t, r.Legs[1].Silent, "the agent was heard all the time")
	updates := 0
	for _, m := range wire.SIP() {
		if m.Method == "UPDATE" && int(m.Src.Port()) == h.SIPPort {
			updates++
		}
	}
	require.GreaterOrEqual(t, updates, 3)
	require.InDelta(t, 1, h.Metric(`hotline_leg_silent_total{outcome="lived",role="caller"}`), 0)
}

// TestOneWayAudioIsMendedOnce: nothing of a caller's audio arrives. That is noticed, audio is agreed on anew by one re-INVITE
// and no second, and the record says that it did not help.
func TestOneWayAudioIsMendedOnce(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, MediaTimeout: "0s"})
	agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	wire := h.Capture()
	phone := testkit.StartPhone(t, testkit.PhoneOptions{Hotline: h.SIP, User: "13900001234"})
	c := phone.Call("96110")
	c.Await(testkit.Talking)
	h.AwaitCall("noticed again, under what was agreed anew", func(r testkit.Record) bool {
		return len(r.Legs) == 2 && r.Legs[0].OneWay != nil && r.Legs[0].OneWay.Count >= 2
	})
	c.Hangup()
	r := over(t, h)
	require.Nil(t, r.Legs[0].OneWay.Healed)
	require.Nil(t, r.Legs[1].OneWay)
	sent := make(map[int]bool)
	for _, m := range wire.SIP() {
		if m.Method == "INVITE" && m.ToTag != "" && int(m.Src.Port()) == h.SIPPort {
			sent[m.CSeq] = true
		}
	}
	require.Len(t, sent, 1, "re-INVITEs")
	require.InDelta(t, 1, h.Metric(`hotline_leg_one_way_total{healed="false",role="caller"}`), 0)
}

// TestTwoLaws: a caller's phone that knows µ-law alone and an agent's that knows A-law alone hear each other.
func TestTwoLaws(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true})
	phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true, Codecs: "PCMA"})
	c := caller(t, testkit.BaresipOptions{Codecs: "PCMU"})
	c.Dial(h.Number("96110"))
	talk(t, h, 3*time.Second)
	c.Hangup()
	phone.Await(testkit.CallClosed)
	r := over(t, h)
	require.Equal(t, []string{"pcmu", "pcma"}, []string{r.Legs[0].Codec, r.Legs[1].Codec})
	hears(t, testkit.ReadWAV(t, c.Heard()).Channels[0], agentTone, callerTone)
	hears(t, testkit.ReadWAV(t, phone.Heard()).Channels[0], callerTone, agentTone)
}
