package test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// largeForUDP is from how many octets on a request is large for UDP (RFC 3261 section 18.1.1).
const largeForUDP = 1300

// TestLargeInvite: a carrier's address is one of UDP. It wants our password, the domain of an IMS, and encrypted audio, which makes
// an INVITE large for UDP. Where it takes connections at that port, too, that INVITE comes by TCP, and what is not large by UDP;
// where it takes none all comes by UDP. An agent who calls out is heard, and hears who answers; whoever of the two hangs up ends
// the call.
func TestLargeInvite(t *testing.T) {
	t.Parallel()
	for name, tcp := range map[string]bool{"by TCP": true, "no TCP there": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outside := testkit.StartBaresip(t, testkit.BaresipOptions{User: "13912345678", Auto: true, Tone: thirdTone, MediaEnc: "srtp"})
			carrier := testkit.StartCarrier(t, testkit.CarrierOptions{
				Account: carrierAccount, Password: carrierPassword, Algorithm: "SHA-256", Outside: outside.Addr(), TCP: tcp,
			})
			h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: throughIMS(carrier), Race: true})
			phone := agent(t, h, "8002", testkit.BaresipOptions{})
			wire := testkit.StartCapture(t, []testkit.PortRange{{First: carrier.Port, Last: carrier.Port}}, nil)
			for i, hangUp := range []func(){phone.Hangup, outside.Hangup} {
				phone.Dial(h.Number("13912345678"))
				outside.Await(testkit.CallEstablished) // the ACK is there
				h.AwaitCall("talking outside", func(r testkit.Record) bool {
					return r.Ended == nil && r.Joined != nil && time.Since(*r.Joined) >= 2*time.Second
				})
				hangUp()
				outside.Await(testkit.CallClosed)
				phone.Await(testkit.CallClosed)
				r := h.AwaitCalls(i+1, "over", testkit.Finished)[0]
				require.Equal(t, "answered", r.Result)
				require.True(t, r.Legs[1].Secure)
				hears(t, testkit.ReadWAV(t, phone.Heard()).Channels[0], thirdTone, agentTone)
				hears(t, testkit.ReadWAV(t, outside.Heard()).Channels[0], agentTone, thirdTone)
			}
			messages := wire.SIP()
			large := make(map[string]bool) // calls, by Call-ID
			for _, m := range messages {
				if int(m.Dst.Port()) == carrier.Port && m.Method == "INVITE" {
					require.Equal(t, tcp && m.Size > largeForUDP, m.TCP, "%s of %d octets", m, m.Size)
					large[m.CallID] = large[m.CallID] || m.Size > largeForUDP
				}
			}
			require.Len(t, large, 2, "%v", messages)
			require.NotContains(t, slices.Collect(maps.Values(large)), false, "no INVITE of a call was large")
			require.Equal(t, 2, count(messages, "BYE", carrier.Port), "one of each side: %v", messages)
			require.NotContains(t, h.Log(), carrierPassword)
		})
	}
}

// throughIMS is city whose trunk calls numbers outside as an IMS has it.
func throughIMS(carrier *testkit.Carrier) string {
	yaml := strings.Replace(city, "    allow: [127.0.0.0/8]\n", fmt.Sprintf(`    allow: [127.0.0.0/8]
    address: udp://%s
    domain: ims.mnc011.mcc460.3gppnetwork.org
    username: %q
    password: %s
    from: "96777"
    srtp: optional
`, carrier.Addr, carrierAccount, carrierPassword), 1)
	return strings.Replace(yaml, "agents:\n", "dial: [{prefix: \"139\", through: city}]\nagents:\n", 1)
}
