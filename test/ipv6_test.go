package test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestIPv6: phones that know no IPv4 register and call; both hear each other, and the recording has both.
func TestIPv6(t *testing.T) {
	t.Parallel()
	testkit.RequireIPv6(t)
	h := testkit.StartHotline(t, testkit.HotlineOptions{
		YAML: strings.Replace(city, "127.0.0.0/8", `"::1"`, 1), Race: true, IPv6: true,
	})
	phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true, IPv6: true})
	c := caller(t, testkit.BaresipOptions{IPv6: true})
	c.Dial(h.Number("96110"))
	c.Await(testkit.CallEstablished)
	talk(t, h, 1500*time.Millisecond)
	c.Hangup()
	phone.Await(testkit.CallClosed)
	r := over(t, h)
	require.Equal(t, []string{"answered", "caller", "8002", "city"}, []string{r.Result, r.Release, r.Agent, r.Trunk})
	hears(t, testkit.ReadWAV(t, c.Heard()).Channels[0], agentTone, callerTone)
	recorded := h.PlayableRecording(r).Channels
	hears(t, recorded[0], callerTone, agentTone)
	hears(t, recorded[1], agentTone, callerTone)
	hears(t, testkit.ReadWAV(t, phone.Heard()).Channels[0], callerTone, agentTone)
}
