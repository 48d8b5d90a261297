package test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// forgets is how long the router of these tests keeps a mapping that nothing passes by, in seconds. Those that are sold do so
// for 30 s and more (RFC 4787 section 4.3).
const forgets = 6

// secretCity is city with passwords that do not stand in the reference, since others than this machine reach it.
var secretCity = strings.NewReplacer("password: two,", "password: a-word-of-8002,", "password: one,", "password: a-word-of-8001,",
	"password: three,", "password: a-word-of-8003,", "password: four,", "password: a-word-of-8004,").Replace(city)

// behindNAT is a hotline, and the phone of 8002 behind a NAT before it.
func behindNAT(t *testing.T, o testkit.HotlineOptions) (h *testkit.Hotline, nat *testkit.NAT, phone func(transport string) *testkit.Baresip) {
	t.Helper()
	nat = testkit.StartNAT(t, forgets)
	o.YAML, o.Race, o.Host = secretCity, true, nat.Outside.String()
	h = testkit.StartHotline(t, o)
	return h, nat, func(transport string) *testkit.Baresip {
		return testkit.StartBaresip(t, testkit.BaresipOptions{
			User: "8002", Password: "a-word-of-8002", Registrar: h.SIP, Register: true, Auto: true, Tone: agentTone,
			Home: nat.Home, Host: nat.Private.String(), Transport: transport,
		})
	}
}

// TestBehindNAT: an agent's phone is behind a NAT that forgets soon, gives it ports by chance, and knows nothing of SIP. It is called
// after its mapping would have been forgotten had pings not kept it; both hear each other though it asks for audio at a private
// address; hold, retrieval and the hotline's BYE pass too.
func TestBehindNAT(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			h, nat, start := behindNAT(t, testkit.HotlineOptions{Ping: "1s"})
			phone := start(transport)
			h.AwaitAgent("8002", "ready")
			registered := time.Now()
			mapped := nat.Mapping(transport, h.SIPPort)
			require.NotZero(t, mapped, "the phone has come another way")
			testkit.Within(t, testkit.Patience, "the mapping to be kept beyond its time", func() bool {
				return time.Since(registered) > 3*forgets*time.Second/2
			})
			require.Equal(t, mapped, nat.Mapping(transport, h.SIPPort), "its mapping was forgotten")

			c := caller(t, testkit.BaresipOptions{})
			c.Dial(h.Number("96110"))
			phone.Await(testkit.CallEstablished)
			talk(t, h, 1500*time.Millisecond)
			holdFor(t, h, phone.Hold, phone.Resume, time.Second, 1500*time.Millisecond)
			c.Hangup()
			phone.Await(testkit.CallClosed)

			r := over(t, h)
			require.Equal(t, []string{"answered", "caller", "8002"}, []string{r.Result, r.Release, r.Agent})
			require.Len(t, r.Offers, 1)
			require.Len(t, r.Talks[0].Holds, 1)
			require.NotZero(t, r.Legs[1].In)
			require.Nil(t, r.Legs[1].OneWay)
			hears(t, testkit.ReadWAV(t, c.Heard()).Channels[0], agentTone, callerTone)
			hears(t, testkit.ReadWAV(t, phone.Heard()).Channels[0], callerTone, agentTone)
		})
	}
}

// TestNATForgets: pings come after the NAT has forgotten the phone, and reach it no more: its agent is not counted on, and a
// caller waits without anybody's being rung. When the phone is started anew, it is called at the router's other port.
func TestNATForgets(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			h, nat, start := behindNAT(t, testkit.HotlineOptions{Ping: "8s", T1: 50 * time.Millisecond})
			first := start(transport)
			h.AwaitAgent("8002", "ready")
			require.NotZero(t, nat.Mapping(transport, h.SIPPort))
			testkit.Within(t, testkit.Patience, "the mapping to be forgotten", func() bool { return nat.Mapping(transport, h.SIPPort) == 0 })
			h.AwaitAgent("8002", "offline")
			c := caller(t, testkit.BaresipOptions{})
			c.Dial(h.Number("96110"))
			h.AwaitWaiting("repair", 1)
			first.Vanish()
			start(transport)
			talk(t, h, 1500*time.Millisecond)
			c.Hangup()
			r := over(t, h)
			require.Len(t, r.Offers, 1)
			require.Equal(t, []string{"8002", "answered"}, []string{r.Offers[0].Agent, r.Offers[0].How})
			hears(t, testkit.ReadWAV(t, c.Heard()).Channels[0], agentTone, callerTone)
		})
	}
}
