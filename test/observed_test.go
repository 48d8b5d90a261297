package test

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestObservedCalls: an encrypted call, and one over IPv6, in a capture, in a trace of the agent, at a capture server and as a
// ladder. Wherever it is, its messages are there, from and to the addresses that they had on the wire; nowhere is a key of its
// audio. The capture has the audio both ways, as it was on the wire.
func TestObservedCalls(t *testing.T) {
	t.Parallel()
	testkit.Require(t, "tshark")
	for name, c := range map[string]struct {
		yaml    string
		options testkit.HotlineOptions
		phones  testkit.BaresipOptions
		keys    bool
	}{
		"SRTP": {yaml: encrypted("required", "required"), phones: testkit.BaresipOptions{MediaEnc: "srtp-mand"}, keys: true},
		"IPv6": {yaml: strings.Replace(city, "127.0.0.0/8", `"::1"`, 1), options: testkit.HotlineOptions{IPv6: true}, phones: testkit.BaresipOptions{IPv6: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.options.IPv6 {
				testkit.RequireIPv6(t)
			}
			server, _ := testkit.StartHEPServer(t, "127.0.0.1:0")
			c.options.Race = true
			c.options.YAML = c.yaml + fmt.Sprintf("observe: {hep: {address: \"udp://%s\"}}\n", server.Addr)
			h := testkit.StartHotline(t, c.options)
			c.phones.Auto = true
			phone := agent(t, h, "8002", c.phones)
			trace := typing(t, h, "trace", "8002", "--for", "10m", "--messages")
			h.AwaitLog("audit: SIP trace of a peer begins")
			c.phones.Auto = false
			from := caller(t, c.phones)
			from.Dial(h.Number("96777"))
			from.Await(testkit.CallEstablished)
			id := h.AwaitCall("in the menu", func(r testkit.Record) bool { return r.Ended == nil }).ID
			capture := typing(t, h, "pcap", id, "--for", "10m")
			h.AwaitLog("audit: capture of a call begins")
			from.SendDigit('2')
			phone.Await(testkit.CallEstablished)
			talk(t, h, 500*time.Millisecond)
			from.Hangup()
			phone.Await(testkit.CallClosed)
			r := over(t, h)
			capture.ended(t)
			testkit.Within(t, testkit.Patience, "the call's end in the trace", func() bool { return strings.Contains(trace.said(t), "200 OK (BYE)") })
			var exported strings.Builder
			testkit.Within(t, testkit.Patience, "the call's end at the capture server", func() bool {
				return hasEnd(server.Packets(t), id)
			})
			sip := netip.MustParseAddrPort(h.SIP)
			for _, p := range server.Packets(t) {
				exported.Write(p.Payload)
				require.Equal(t, map[bool]byte{false: 2, true: 10}[c.options.IPv6], p.Family, "%s", p.Payload)
				require.True(t, p.Source == sip || p.Target == sip, "%s -> %s", p.Source, p.Target)
			}
			file, err := os.ReadFile(capture.out)
			require.NoError(t, err)
			ladder := string(h.Get("/api/v1/calls/" + r.ID + "/trace"))
			seen := map[string]string{"capture": string(file), "trace": trace.said(t), "HEP": exported.String(), "ladder": ladder}
			require.Equal(t, c.keys, strings.Contains(seen["capture"], "a=crypto:"), "what is said of keys is there")
			for where, text := range seen {
				require.Contains(t, text, "INVITE sip:", where)
				requireNoKeys(t, where, text)
			}
			if c.options.IPv6 {
				require.Contains(t, ladder, fmt.Sprintf(`"local":"%s"`, h.SIP))
				require.Contains(t, seen["trace"], h.SIP)
				require.Empty(t, readPcap(t, h, capture.out, "-Y", "ip || !(ipv6.src == ::1 && ipv6.dst == ::1)"))
			}
			require.Empty(t, readPcap(t, h, capture.out, "-Y", "_ws.malformed"), "what stands for a key is base64")
			all := streams(readPcap(t, h, capture.out, "--enable-heuristic", "rtp_udp", "-q", "-z", "rtp,streams"))
			require.GreaterOrEqual(t, len(all), 4, "both ways of both legs: %v", all)
		})
	}
}

// hasEnd tells whether a call's agent was told that it is over, and said so.
func hasEnd(all []testkit.HEPPacket, id string) bool {
	n := 0
	for _, p := range all {
		if p.Correlation == id && strings.HasPrefix(string(p.Payload), "SIP/2.0 200 ") && strings.HasSuffix(field(p, "CSeq"), " BYE") {
			n++
		}
	}
	return n >= 2
}

// requireNoKeys wants every key of audio (RFC 4568 section 9.1) in a text to be hidden: 28 octets or more, all zero, in base64.
func requireNoKeys(t *testing.T, where, text string) {
	t.Helper()
	for i := strings.Index(text, "inline:"); i >= 0; i = strings.Index(text, "inline:") {
		text = text[i+len("inline:"):]
		require.True(t, strings.HasPrefix(text, strings.Repeat("A", 37)), "%s: %.20q", where, text)
	}
}
