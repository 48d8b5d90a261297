package test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// encrypted is city where the trunk and agent 8002 have SRTP this way.
func encrypted(trunk, agent string) string {
	yaml := strings.Replace(city, "allow: [127.0.0.0/8]\n", "allow: [127.0.0.0/8]\n    srtp: "+trunk+"\n", 1)
	return strings.Replace(yaml, `{id: "8002",`, `{id: "8002", srtp: `+agent+`,`, 1)
}

// TestEncrypted: a caller and an agent hear each other, whichever of the two legs are encrypted, and by the telephones'
// own idea of SRTP; on the wire nothing is to be heard of a leg that is.
func TestEncrypted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		trunk, caller string // the hotline's way, and the phone's
		agent, phone  string
		secured       bool // the agent's leg is encrypted
	}{
		"agent, SRTP compulsory at both ends":      {"off", "", "required", "srtp-mand", true},
		"agent, SRTP optional at both ends":        {"off", "", "optional", "srtp", true},
		"agent, compulsory at the phone":           {"off", "", "optional", "srtp-mand", true},
		"agent, compulsory here":                   {"off", "", "required", "srtp", true},
		"agent, none at the phone":                 {"off", "", "optional", "", false},
		"caller, compulsory; agent plain":          {"required", "srtp-mand", "off", "", false},
		"caller, optional at the phone":            {"optional", "srtp", "optional", "srtp", true},
		"caller, compulsory at the phone":          {"optional", "srtp-mand", "required", "srtp-mand", true},
		"caller, optional here, none at the phone": {"optional", "", "off", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: encrypted(c.trunk, c.agent), Race: true})
			phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true, MediaEnc: c.phone})
			wire := h.Capture()
			from := caller(t, testkit.BaresipOptions{MediaEnc: c.caller})
			from.Dial(h.Number("96110"))
			phone.Await(testkit.CallEstablished)
			talk(t, h, 1500*time.Millisecond)
			from.Hangup()
			phone.Await(testkit.CallClosed)
			require.Equal(t, "answered", over(t, h).Result)
			hears(t, testkit.ReadWAV(t, from.Heard()).Channels[0], agentTone, callerTone)
			hears(t, testkit.ReadWAV(t, phone.Heard()).Channels[0], callerTone, agentTone)
			requireOnWire(t, wire, phone.RTP, !c.secured)
		})
	}
}

// requireOnWire checks whether a phone's tone can be heard on the wire; ports are those it sends from.
func requireOnWire(t *testing.T, wire *testkit.Capture, ports testkit.PortRange, heard bool) {
	t.Helper()
	var samples []float64
	packets := 0
	for _, p := range wire.RTP() {
		if port := int(p.Src.Port()); port >= ports.First && port <= ports.Last {
			packets++
			samples = append(samples, p.Samples()...)
		}
	}
	require.NotZero(t, packets)
	require.Equal(t, heard, testkit.HasTone(samples, agentTone, time.Second))
}

// TestEncryptedLinphone: the same with the other make of phone.
func TestEncryptedLinphone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		agent   string
		options testkit.LinphonecOptions
		secured bool
	}{
		"compulsory at both ends": {"required", testkit.LinphonecOptions{SRTP: true, SRTPOnly: true}, true},
		// It takes no keys beside RTP/AVP, and refuses it only when it is told to.
		"optional at both ends":   {"optional", testkit.LinphonecOptions{SRTP: true}, false},
		"compulsory at the phone": {"optional", testkit.LinphonecOptions{SRTP: true, SRTPOnly: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: encrypted("off", c.agent), Race: true})
			c.options.User, c.options.Password, c.options.Registrar = "8002", passwords["8002"], h.SIP
			c.options.Tone = agentTone
			phone := testkit.StartLinphonec(t, c.options)
			h.AwaitAgent("8002", "ready")
			wire := h.Capture()
			from := caller(t, testkit.BaresipOptions{})
			from.Dial(h.Number("96110"))
			talk(t, h, 2*time.Second)
			from.Hangup()
			require.Equal(t, "answered", over(t, h).Result)
			phone.Quit()
			hears(t, testkit.ReadWAV(t, from.Heard()).Channels[0], agentTone, callerTone)
			hears(t, testkit.ReadWAV(t, phone.Heard()).Channels[0], callerTone, agentTone)
			requireOnWire(t, wire, phone.RTP, !c.secured)
		})
	}
}
