package test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestHEPExport: a capture server gets each message of a call exactly as often as the wire had it, those of both legs
// under the call's id, and a registration; no caller's number, no credential.
func TestHEPExport(t *testing.T) {
	t.Parallel()
	server, _ := testkit.StartHEPServer(t, "127.0.0.1:0")
	h := testkit.StartHotline(t, testkit.HotlineOptions{Race: true, YAML: city + fmt.Sprintf(
		"observe: {hep: {address: \"udp://%s\", id: 77, password: homers}}\n", server.Addr)})
	capture := h.Capture()
	phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96777"))
	c.Await(testkit.CallEstablished)
	c.SendDigit('2')
	phone.Await(testkit.CallEstablished)
	talk(t, h, 200*time.Millisecond)
	c.Hangup()
	phone.Await(testkit.CallClosed)
	r := over(t, h)

	// of counts the messages of dialogs that have an INVITE, by start line and CSeq.
	wire, legs := make(map[string]int), make(map[string]bool)
	messages := capture.SIP()
	for _, m := range messages {
		legs[m.CallID] = legs[m.CallID] || m.Method == "INVITE"
	}
	for _, m := range messages {
		if legs[m.CallID] {
			wire[fmt.Sprintf("%s %s%d %d %s %s %s", m.CallID, m.Method, m.Status, m.CSeq, m.CSeqMethod, m.Src, m.Dst)]++
		}
	}
	require.GreaterOrEqual(t, len(wire), 10, "INVITE, 200, ACK, BYE, 200 of two legs")
	sent := make(map[string]int)
	testkit.Within(t, testkit.Patience, "every message of the call", func() bool {
		clear(sent)
		for _, p := range server.Packets(t) {
			if id := field(p, "Call-ID"); legs[id] {
				var seq int
				var method string
				_, err := fmt.Sscanf(field(p, "CSeq"), "%d %s", &seq, &method)
				require.NoError(t, err)
				asked, status := "", 0
				start := strings.Fields(string(p.Payload))
				if _, err := fmt.Sscanf(start[1], "%d", &status); err != nil || start[0] != "SIP/2.0" {
					asked, status = start[0], 0
				}
				sent[fmt.Sprintf("%s %s%d %d %s %s %s", id, asked, status, seq, method, p.Source, p.Target)]++
			}
		}
		return len(sent) >= len(wire)
	})
	require.Equal(t, wire, sent)
	registered := false
	for _, p := range server.Packets(t) {
		require.EqualValues(t, 77, p.Capture)
		require.Equal(t, "homers", p.Key)
		text := string(p.Payload)
		if legs[field(p, "Call-ID")] {
			require.Equal(t, r.ID, p.Correlation, text)
		} else {
			require.Empty(t, p.Correlation, text)
		}
		require.NotContains(t, text, r.From)
		require.NotContains(t, text, "response=")
		registered = registered || strings.HasPrefix(text, "REGISTER ") && strings.Contains(text, "Authorization: (hidden)")
	}
	require.True(t, registered)
	require.Contains(t, string(h.Get("/metrics")), `hotline_hep_messages_total{outcome="dropped"} 0`)
	require.NotContains(t, h.Log(), "homers")
}

// field is a header of a packet's message.
func field(p testkit.HEPPacket, name string) string {
	for line := range strings.Lines(string(p.Payload)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(key, name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
