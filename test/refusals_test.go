package test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestRefusals: what is refused at the door, and with which status. 503 is TestDrain's.
func TestRefusals(t *testing.T) {
	t.Parallel()
	elsewhere := strings.Replace(city, "127.0.0.0/8", "127.0.0.9/32", 1)
	for name, refused := range map[string]struct {
		yaml   string
		caller testkit.SippCaller
	}{
		"403, no trunk's source":  {elsewhere, testkit.SippCaller{Number: "96777", Expect: 403}},
		"404, UDP":                {city, testkit.SippCaller{Number: "96000", Expect: 404}},
		"404, TCP":                {city, testkit.SippCaller{Number: "96000", Expect: 404, Transport: "tcp"}},
		"488, no codec in common": {city, testkit.SippCaller{Number: "96777", Expect: 488, OnlyG729: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: refused.yaml, Race: true})
			refused.caller.To, refused.caller.From = h.SIP, "13900001234"
			c := testkit.StartCaller(t, refused.caller)
			require.Zero(t, c.Wait(), c.Messages())
			require.NotContains(t, c.Messages(), "Retry-After")
			require.Empty(t, h.Calls(), "it never was a call")
		})
	}
}

// TestHouseFull: one caller more than may be in gets 486, and is let in once another has left.
func TestHouseFull(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, MaxCalls: 1})
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	h.AwaitWaiting("repair", 1)
	second := testkit.StartCaller(t, testkit.SippCaller{To: h.SIP, Number: "96777", From: "13900005678", Expect: 486})
	require.Zero(t, second.Wait(), second.Messages())
	c.Hangup()
	over(t, h)
	third := caller(t, testkit.BaresipOptions{User: "13900009999"})
	third.Dial(h.Number("96777"))
	third.Await(testkit.CallEstablished)
	third.Hangup()
	h.AwaitCalls(2, "finished", testkit.Finished)
}

// TestOddRequests: each gets the answer that RFC 3261 owes it, and none harms.
func TestOddRequests(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true})
	raw := testkit.DialRaw(t, h.SIP)
	const methods = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, REGISTER, PRACK, UPDATE, REFER, SUBSCRIBE, NOTIFY"
	for name, odd := range map[string]struct {
		method string
		edits  testkit.Edit
		status int
		header string
		value  string
	}{
		"OPTIONS, nothing odd": {"OPTIONS", nil, 200, "Allow", methods},
		"method not served":    {"MESSAGE", nil, 405, "Allow", methods},
		"event not known":      {"SUBSCRIBE", nil, 489, "Allow-Events", "refer"},
		"method not known":     {"DANCE", nil, 501, "", ""},
		"no To":                {"INVITE", testkit.Edit{"To": ""}, 400, "", ""},
		"no From":              {"INVITE", testkit.Edit{"From": ""}, 400, "", ""},
		"no Max-Forwards":      {"OPTIONS", testkit.Edit{"Max-Forwards": ""}, 200, "", ""},
		"CSeq of other method": {"OPTIONS", testkit.Edit{"CSeq": "1 INVITE"}, 400, "", ""},
		"extension required":   {"OPTIONS", testkit.Edit{"Contact": "<sip:a@127.0.0.1>\r\nRequire: nothing"}, 420, "Unsupported", "nothing"},
		"BYE of no dialog":     {"BYE", testkit.Edit{"To": "<sip:96777@127.0.0.1>;tag=none"}, 481, "", ""},
		"CANCEL of no INVITE":  {"CANCEL", nil, 481, "", ""},
		"body of unknown type": {"INVITE", testkit.Edit{"Content-Length": "3\r\nContent-Type: text/plain\r\n\r\nhey"}, 415, "Accept", "application/sdp"},
		"REGISTER of a nobody": {"REGISTER", nil, 401, "", ""},
		"SDP that cannot be":   {"INVITE", testkit.Edit{"Content-Length": "5\r\nContent-Type: application/sdp\r\n\r\nv=0=9"}, 400, "", ""},
		"two values of a To":   {"OPTIONS", testkit.Edit{"To": "<sip:a@127.0.0.1>\r\nTo: <sip:b@127.0.0.1>"}, 400, "", ""},
	} {
		reply := raw.Ask(raw.Request(odd.method, odd.edits))
		require.Equal(t, odd.status, reply.Status, "%s: %s", name, reply.Text)
		if odd.header != "" {
			require.Equal(t, odd.value, reply.Header(odd.header), name)
		}
	}
	future := strings.Replace(raw.Request("OPTIONS", nil), " SIP/2.0\r\n", " SIP/7.0\r\n", 1)
	require.Equal(t, 505, raw.Ask(future).Status)
	require.Empty(t, h.Calls())
	require.Zero(t, h.Metric("hotline_panics_total"))
}

// TestRubbish: what is no SIP is dropped, what claims to be huge costs nothing, and the next who asks is
// answered.
func TestRubbish(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city}) // the race detector's memory is its own
	raw := testkit.DialRaw(t, h.SIP)
	ask := func(after string) {
		reply := raw.Ask(raw.Request("OPTIONS", nil))
		require.Equal(t, 200, reply.Status, "after %s", after)
	}
	for name, rubbish := range map[string]string{
		"a byte":              "\x00",
		"an empty line":       "\r\n",
		"a keep-alive":        "\r\n\r\n",
		"no SIP":              "GET / HTTP/1.1\r\nHost: hotline\r\n\r\n",
		"a line without end":  "INVITE sip:96777@127.0.0.1 SIP/2.0",
		"no headers":          "INVITE sip:96777@127.0.0.1 SIP/2.0\r\n\r\n",
		"a stray response":    "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKstray\r\nCSeq: 1 INVITE\r\n\r\n",
		"binary":              strings.Repeat("\xff\xfe\x00", 400),
		"a header of 60 kB":   raw.Request("OPTIONS", testkit.Edit{"Contact": "<sip:" + strings.Repeat("a", 60_000) + "@127.0.0.1>"}),
		"a negative length":   raw.Request("OPTIONS", testkit.Edit{"Content-Length": "-1"}),
		"a CSeq out of range": raw.Request("OPTIONS", testkit.Edit{"CSeq": "99999999999999999999 OPTIONS"}),
		"a Via that is none":  raw.Request("OPTIONS", testkit.Edit{"Via": ";;;,,,"}),
	} {
		raw.Send(rubbish)
		ask(name)
	}

	before := h.Resident()
	const datagrams = 200
	for range datagrams {
		raw.Send(raw.Request("OPTIONS", testkit.Edit{"Content-Length": "2147483647"}))
	}
	ask("a huge Content-Length")
	const little = 64 << 20 // one such body would be 2 GiB
	require.Less(t, h.Resident(), before+little)
	require.Zero(t, h.Metric("hotline_panics_total"))
}
