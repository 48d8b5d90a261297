package test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestListeners: one hotline is known by three addresses, of which an agent's phone, on a network of its own, reaches one alone; a
// caller comes to another, or knows no IPv4 and comes to the third. Each is told of the audio at the address that it came to,
// after a hold as well, so that both are heard.
func TestListeners(t *testing.T) {
	t.Parallel()
	testkit.RequireIPv6(t)
	for name, at := range map[string]string{"IPv4": "127.0.0.1", "IPv6": "::1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nat := testkit.StartNAT(t, 60)
			h := testkit.StartHotline(t, testkit.HotlineOptions{
				YAML: strings.Replace(secretCity, "127.0.0.0/8", `127.0.0.0/8, "::1"`, 1), Race: true,
				Also: []string{nat.Outside.String(), "::1"},
			})
			side := func(host string) string { return net.JoinHostPort(host, fmt.Sprint(h.SIPPort)) }
			phone := testkit.StartBaresip(t, testkit.BaresipOptions{
				User: "8002", Password: "a-word-of-8002", Registrar: side(nat.Outside.String()), Register: true, Auto: true,
				Tone: agentTone, Home: nat.Home, Host: nat.Private.String(),
			})
			h.AwaitAgent("8002", "ready")
			c := caller(t, testkit.BaresipOptions{IPv6: name == "IPv6"})
			c.Dial("sip:96110@" + side(at))
			phone.Await(testkit.CallEstablished)
			talk(t, h, 1500*time.Millisecond)
			holdFor(t, h, phone.Hold, phone.Resume, time.Second, 1500*time.Millisecond)
			c.Hangup()
			phone.Await(testkit.CallClosed)
			r := over(t, h)
			require.Equal(t, []string{"answered", "caller", "8002", "city"}, []string{r.Result, r.Release, r.Agent, r.Trunk})
			require.NotZero(t, r.Legs[1].In, "nothing was heard of the phone")
			hears(t, testkit.ReadWAV(t, c.Heard()).Channels[0], agentTone, callerTone)
			hears(t, testkit.ReadWAV(t, phone.Heard()).Channels[0], callerTone, agentTone)
		})
	}
}
