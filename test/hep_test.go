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

// TestHEPOfTLS: what a phone says over TLS, and is told, is told the server as that.
func TestHEPOfTLS(t *testing.T) {
	t.Parallel()
	server, _ := testkit.StartHEPServer(t, "127.0.0.1:0")
	_, cert, key := testkit.Certificate(t)
	h := testkit.StartHotline(t, testkit.HotlineOptions{
		Race: true, Certificate: cert, Key: key, YAML: city + fmt.Sprintf("observe: {hep: {address: \"udp://%s\"}}\n", server.Addr),
	})
	testkit.StartBaresip(t, testkit.BaresipOptions{
		User: "8002", Password: passwords["8002"], Registrar: h.TLS, Transport: "tls", Register: true,
	})
	ways := make(map[string]bool) // a REGISTER came, and its answer went
	testkit.Within(t, testkit.Patience, "the registration at the server", func() bool {
		for _, p := range server.Packets(t) {
			if !strings.HasSuffix(field(p, "CSeq"), " REGISTER") {
				continue
			}
			require.EqualValues(t, 22, p.Protocol, "%s", p.Payload)
			require.Contains(t, field(p, "Via"), "SIP/2.0/TLS ")
			ways["came"] = ways["came"] || p.Target.String() == h.TLS
			ways["went"] = ways["went"] || p.Source.String() == h.TLS
		}
		return ways["came"] && ways["went"]
	})
}

// TestHEPReload: by reloads messages go to another server, by another id and with numbers in full; then to none; then to the
// second again. Each is where it was to go when it was said, and nowhere else.
func TestHEPReload(t *testing.T) {
	t.Parallel()
	first, _ := testkit.StartHEPServer(t, "127.0.0.1:0")
	second, _ := testkit.StartHEPServer(t, "127.0.0.1:0")
	atFirst := fmt.Sprintf("hep: {address: \"udp://%s\", id: 77, password: homers}", first.Addr)
	atSecond := fmt.Sprintf("hep: {address: \"udp://%s\", id: 78, numbers: full}", second.Addr)
	h := testkit.StartHotline(t, testkit.HotlineOptions{Race: true, YAML: city + "observe: {" + atFirst + "}\n"})
	phone := testkit.DialRaw(t, h.SIP)
	say := func() (callID string) {
		request := phone.Request("OPTIONS", nil)
		require.Equal(t, 200, phone.Ask(request).Status)
		return testkit.RawReply{Text: request}.Header("Call-ID")
	}
	reload := func(from, to string) {
		h.Edit(from, to)
		said, err := h.Command("reload").CombinedOutput()
		require.NoError(t, err, "%s", said)
		require.NotContains(t, string(said), "restart")
	}
	of := func(s *testkit.HEPServer, callID string) (all []testkit.HEPPacket) {
		for _, p := range s.Packets(t) {
			if field(p, "Call-ID") == callID {
				all = append(all, p)
			}
		}
		return all
	}
	// both are a request's packet and its answer's, once they are at a server.
	both := func(s *testkit.HEPServer, callID string) (all []testkit.HEPPacket) {
		testkit.Within(t, testkit.Patience, "a request and its answer", func() bool {
			all = of(s, callID)
			return len(all) >= 2
		})
		return all
	}

	before := say()
	for _, p := range both(first, before) {
		require.EqualValues(t, 77, p.Capture)
		require.Equal(t, "homers", p.Key)
		require.Contains(t, field(p, "From"), "139******34")
	}
	reload(atFirst, atSecond)
	after := say()
	for _, p := range both(second, after) {
		require.EqualValues(t, 78, p.Capture)
		require.Empty(t, p.Key)
		require.Contains(t, field(p, "From"), "13900001234")
	}
	reload(atSecond, "")
	unseen := say()
	reload("observe: {}", "observe: {"+atSecond+"}")
	again := say()
	both(second, again) // they would be behind those before them
	for callID, want := range map[string][2]bool{before: {true, false}, after: {false, true}, unseen: {false, false}, again: {false, true}} {
		require.Equal(t, want, [2]bool{len(of(first, callID)) > 0, len(of(second, callID)) > 0})
	}
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
