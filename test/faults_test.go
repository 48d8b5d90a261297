package test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestCannotStart: a second process by a configuration in which one thing is wrong ends with an error
// that names it, and the first process, its records and its recordings do not feel it.
func TestCannotStart(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city}) // without the race detector it starts sooner
	phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	talk(t, h, time.Second)

	const room = 10
	first := testkit.FreePorts(t, 2+room)
	elsewhere := strings.NewReplacer(
		h.SIP, fmt.Sprintf("127.0.0.1:%d", first), h.HTTP, fmt.Sprintf("127.0.0.1:%d", first+1),
		h.Data, t.TempDir(), fmt.Sprintf("%d-%d", h.MediaPorts.First, h.MediaPorts.Last), fmt.Sprintf("%d-%d", first+2, first+1+room))
	for name, wrong := range map[string]struct{ old, now, named string }{
		"same SIP port":        {fmt.Sprintf("127.0.0.1:%d\", \"tcp", first), h.SIP + "\", \"tcp", h.SIP},
		"same HTTP port":       {fmt.Sprintf("127.0.0.1:%d", first+1), h.HTTP, h.HTTP},
		"same data folder":     {"\ndata: ", "\ndata: " + h.Data + " # ", h.Data},
		"too few ports":        {fmt.Sprintf("%d-%d", first+2, first+1+room), fmt.Sprintf("%d-%d", first+2, first+3), "media.ports"},
		"ports upside down":    {fmt.Sprintf("%d-%d", first+2, first+1+room), fmt.Sprintf("%d-%d", first+4, first+2), "media.ports"},
		"no such menu prompt":  {"prompt: welcome", "prompt: wellcome", "wellcome"},
		"no such wait prompt":  {"wait_prompt: gas-safety", "wait_prompt: gas-danger", "gas-danger"},
		"a key nobody knows":   {"\ntargets:", "\ntagrets:", "tagrets"},
		"a queue nobody knows": {"queue: repair", "queue: repare", "repare"},
	} {
		t.Log(name)
		code, said := h.Another(func(text string) string {
			text = elsewhere.Replace(text)
			require.Contains(t, text, wrong.old, name)
			return strings.Replace(text, wrong.old, wrong.now, 1)
		})
		require.Equal(t, 1, code, "%s: %s", name, said)
		require.Contains(t, said, wrong.named, name)
		require.NotContains(t, said, "panic", name)
		require.NotContains(t, said, "goroutine", name)
	}

	talk(t, h, time.Second)
	c.Hangup()
	phone.Await(testkit.CallClosed)
	r := over(t, h)
	require.Equal(t, "answered", r.Result)
	require.Empty(t, r.Unrecorded)
	hears(t, h.PlayableRecording(r).Channels[0], callerTone, agentTone)
}

// TestDiskFull: the disk fills up in mid-call. The call goes on to its own end, its record waits until
// there is room and says that the recording is not whole, and what was recorded before is unharmed.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	disk := testkit.SmallDisk(t, 4<<20)
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Data: disk.Path})
	phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	call := func(from string, lasting time.Duration, meanwhile func()) *testkit.Baresip {
		c := caller(t, testkit.BaresipOptions{User: from})
		c.Dial(h.Number("96110"))
		of := func(r testkit.Record) bool { return r.From == from && r.Joined != nil }
		h.AwaitCall("joined", of)
		meanwhile()
		h.AwaitCall("talking", func(r testkit.Record) bool { return of(r) && time.Since(*r.Joined) > lasting })
		c.Hangup()
		phone.Await(testkit.CallClosed)
		h.AwaitAgent("8002", "ready")
		return c
	}
	call("13900000001", 2*time.Second, func() {})
	before := over(t, h)
	require.Empty(t, before.Unrecorded)
	earlier := h.PlayableRecording(before)

	c := call("13900000002", 4*time.Second, disk.Fill)
	hears(t, testkit.ReadWAV(t, c.Heard()).Channels[0], agentTone, callerTone)
	require.True(t, h.Ready(), "it gave up")
	disk.Empty()
	records := h.AwaitCalls(2, "finished", testkit.Finished)
	require.Equal(t, "13900000002", records[0].From)
	require.Equal(t, "answered", records[0].Result)
	require.NotEmpty(t, records[0].Unrecorded)
	require.Equal(t, earlier, h.PlayableRecording(before))

	call("13900000003", 2*time.Second, func() {})
	records = h.AwaitCalls(3, "finished", testkit.Finished)
	require.Equal(t, "13900000003", records[0].From)
	require.Empty(t, records[0].Unrecorded, "there is room again")
	hears(t, h.PlayableRecording(records[0]).Channels[0], callerTone, agentTone)
}
