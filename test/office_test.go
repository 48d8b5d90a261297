package test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// office is city whose carrier has an address, PORT, and takes calls to numbers outside.
var office = strings.NewReplacer("allow: [127.0.0.0/8]", "allow: ["+testkit.OfficeFar+"]\n    address: \"udp://"+testkit.OfficeFar+":PORT\"",
	"agents:\n", "dial: [{prefix: \"139\", through: city}]\nagents:\n").Replace(secretCity)

// TestPhonesInsideAndTrunkOutside: a hotline has private addresses, behind a router that forwards its ports; agents' phones are on
// its own network, and the carrier is outside. Calls go both ways: each side is told of the address that it reaches and of no
// other, in SIP and in SDP, hears the other, after a hold too, and the carrier's BYE ends both legs.
func TestPhonesInsideAndTrunkOutside(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		oneCard bool
		public  string // where the router forwards SIP to
		port    int    // of the router, likewise
	}{
		"two network cards": {false, testkit.OfficeApart, 5060},
		"one network card":  {true, testkit.OfficeServer, 5080},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := testkit.StartOffice(t, c.oneCard)
			door := fmt.Sprintf("%s:%d", testkit.OfficePublic, c.port)
			carrier := caller(t, testkit.BaresipOptions{User: "13912345678", Auto: true, Home: at.Outside, Host: testkit.OfficeFar})
			h := testkit.StartHotline(t, testkit.HotlineOptions{
				YAML: strings.Replace(office, "PORT", fmt.Sprint(carrier.Port), 1), Race: true,
				Home: at.Server, Host: testkit.OfficeServer, Public: fmt.Sprintf("%s:%d", c.public, c.port), Advertise: door,
			})
			at.Forward(t, c.port, h.MediaPorts)
			phone := testkit.StartBaresip(t, testkit.BaresipOptions{
				User: "8002", Password: "a-word-of-8002", Registrar: h.SIP, Register: true, Auto: true, Tone: agentTone,
				Home: at.Desk, Host: testkit.OfficeDesk,
			})
			h.AwaitAgent("8002", "ready")
			inside := at.Desk.Capture(t, []testkit.PortRange{{First: phone.Port, Last: phone.Port}}, []testkit.PortRange{phone.RTP})
			outside := at.Outside.Capture(t, []testkit.PortRange{{First: carrier.Port, Last: carrier.Port}}, []testkit.PortRange{carrier.RTP})
			bothHear := func() {
				t.Helper()
				hears(t, testkit.ReadWAV(t, carrier.Heard()).Channels[0], agentTone, callerTone)
				hears(t, testkit.ReadWAV(t, phone.Heard()).Channels[0], callerTone, agentTone)
			}

			carrier.Dial("sip:96110@" + door)
			phone.Await(testkit.CallEstablished)
			talk(t, h, 1500*time.Millisecond)
			holdFor(t, h, phone.Hold, phone.Resume, time.Second, 1500*time.Millisecond)
			back := h.Calls()[0].Talks[0].Holds[0].To.Add(300 * time.Millisecond) // once what was on its way is there
			heardAgain(t, outside, h, carrier.RTP, back, agentTone)
			heardAgain(t, inside, h, phone.RTP, back, callerTone)
			carrier.Hangup()
			phone.Await(testkit.CallClosed)
			r := over(t, h)
			require.Equal(t, []string{"answered", "caller", "8002", "city"}, []string{r.Result, r.Release, r.Agent, r.Trunk})
			require.Len(t, r.Talks[0].Holds, 1)
			bothHear()

			phone.Dial(h.Number("13912345678"))
			h.AwaitCall("talking outside", func(r testkit.Record) bool {
				return r.From == "8002" && r.Joined != nil && time.Since(*r.Joined) >= 2*time.Second
			})
			carrier.Hangup()
			phone.Await(testkit.CallClosed)
			r = h.AwaitCall("over", func(r testkit.Record) bool { return r.From == "8002" && testkit.Finished(r) })
			require.Equal(t, []string{"answered", "agent-hangup"}, []string{r.Result, r.Reason})
			bothHear()

			toldOf(t, outside.SIP(), door)
			toldOf(t, inside.SIP(), h.SIP)
		})
	}
}

// heardAgain waits until a second of a tone came from the hotline to ports of a phone, after a time.
func heardAgain(t *testing.T, wire *testkit.Capture, h *testkit.Hotline, phone testkit.PortRange, after time.Time, tone float64) {
	t.Helper()
	wire.AwaitRTP(fmt.Sprintf("%v Hz after the hold", tone), func(audio []testkit.RTPPacket) bool {
		return testkit.HasTone(sent(audio, h.MediaPorts, phone, after, time.Now()), tone, time.Second)
	})
}

// toldOf wants everything of the hotline's to come from an address, HOST:PORT, and to tell of that alone, where to send requests
// and where to send audio: in INVITEs and in answers, of a call each way.
func toldOf(t *testing.T, messages []testkit.SIPPacket, address string) {
	t.Helper()
	at, told := netip.MustParseAddrPort(address), make(map[string]int)
	for _, m := range messages {
		if m.Src != at {
			require.Equal(t, at, m.Dst, "%s: of the phone, to others", m)
			continue
		}
		if m.Contact != "" && m.CSeqMethod != "REGISTER" { // whose answer has the phone's
			require.Equal(t, address, m.Contact, m.String())
		}
		if m.AudioPort != 0 {
			require.Equal(t, at.Addr().String(), m.Audio, m.String())
			require.NotEmpty(t, m.Contact, m.String())
			told[m.Method]++
		}
	}
	require.NotZero(t, told["INVITE"], "no INVITE with SDP came from %s: %v", address, messages)
	require.NotZero(t, told[""], "no answer with SDP came from %s: %v", address, messages)
}
