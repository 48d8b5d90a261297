package test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestWatchAPeer: a supervisor watches an agent from before he registers, and sees his registration and his part of a call
// as they come, without credentials, without the caller's number and without the caller's leg; the log has who did so,
// from when to when.
func TestWatchAPeer(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true})
	read := make(chan []byte, 1)
	go func() { read <- h.Get("/api/v1/trace?peer=8002&for=12s") }()
	h.AwaitLog("audit: SIP trace of a peer begins")
	phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96777"))
	c.Await(testkit.CallEstablished)
	c.SendDigit('2')
	phone.Await(testkit.CallEstablished)
	c.Hangup()
	phone.Await(testkit.CallClosed)
	r := over(t, h)

	ways := make(map[string]int)
	all := string(<-read)
	for line := range strings.Lines(all) {
		var m struct {
			Received bool
			Head     string
			Remote   string
		}
		require.NoError(t, json.Unmarshal([]byte(line), &m), line)
		start, _, _ := strings.Cut(m.Head, " ")
		ways[start+map[bool]string{true: " received"}[m.Received]]++
		require.NotContains(t, m.Head, "sip:96777@127.0.0.1 SIP", "the caller's leg")
	}
	for _, way := range []string{"REGISTER received", "SIP/2.0", "INVITE", "SIP/2.0 received", "ACK", "BYE"} {
		require.NotZero(t, ways[way], "%s in %v", way, ways)
	}
	require.Contains(t, all, "Authorization: (hidden)")
	require.NotContains(t, all, "response=")
	require.NotContains(t, all, r.From)
	h.AwaitLog("audit: SIP trace of a peer ends")
}
