package test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestMakerTransfers: an agent calls a colleague, and hands him on to a third, who is heard; the phone that asked is told of
// it and free again.
func TestMakerTransfers(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Ping: "10m"})
	third := agent(t, h, "8004", testkit.BaresipOptions{Auto: true, Tone: thirdTone})
	colleague := agent(t, h, "8003", testkit.BaresipOptions{Auto: true})
	maker := agent(t, h, "8002", testkit.BaresipOptions{})
	wire := h.Capture()
	maker.Dial(h.Number("8003"))
	talkWith(t, h, "8003", 500*time.Millisecond)
	maker.Transfer(h.Number("8004"))
	talkWith(t, h, "8004", 1500*time.Millisecond)
	h.AwaitAgent("8002", "ready")
	colleague.Hangup()
	third.Await(testkit.CallClosed)
	r := over(t, h)
	require.Equal(t, []testkit.Transfer{{By: "8002", Kind: "blind", To: "agent:8004", How: "done"}}, r.Transfers)
	require.Equal(t, "answered", r.Result)
	require.Len(t, r.Talks, 2)
	require.Equal(t, []string{"100", "200"}, ends(notified(t, wire, h)), "what the phone was told")
	joined := *r.Talks[1].Joined
	heard := sent(wire.RTP(), h.MediaPorts, colleague.RTP, joined.Add(200*time.Millisecond), joined.Add(1400*time.Millisecond))
	require.Greater(t, testkit.Tone(heard, thirdTone), 0.9, "the colleague does not hear 8004")
}
