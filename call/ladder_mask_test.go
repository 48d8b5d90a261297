package call_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// Each line of a message as it came, and as it is shown: the caller is 13900001234, who dialled 96777 and
// talks to agent 8002.
func TestMaskLadder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ came, shown string }{
		"request line":      {"INVITE sip:96777@10.0.0.1:5060 SIP/2.0", "INVITE sip:96777@10.0.0.1:5060 SIP/2.0"},
		"of an agent":       {"INVITE sip:8002@10.0.0.7:5062;transport=tcp SIP/2.0", "INVITE sip:8002@10.0.0.7:5062;transport=tcp SIP/2.0"},
		"from":              {"From: <sip:13900001234@h>;tag=1928301774", "From: <sip:139******34@h>;tag=1928301774"},
		"compact, bare":     {"f: sip:13900001234@h;tag=a@b", "f: sip:139******34@h;tag=a@b"},
		"display":           {`To: "13900001234" <sips:anonymous@h>`, `To: "139******34" <sips:anonymous@h>`},
		"display, spaced":   {`From: "139 0000 1234" <sip:x@h>`, `From: "139********34" <sip:x@h>`},
		"display, unquoted": {"Contact: 010-8888 777 <sip:x@h>", "Contact: 010*******77 <sip:x@h>"},
		"a person's name":   {`From: "李 2 号" <sip:x@h>`, `From: "李 2 号" <sip:x@h>`},
		"asserted":          {"P-Asserted-Identity: <tel:+86-139-0000-1234>, <sip:+8613900001234@h;user=phone>", "P-Asserted-Identity: <tel:+86************34>, <sip:+86*********34@h;user=phone>"},
		"diversion":         {"Diversion: <sip:01088887777@h>;reason=no-answer", "Diversion: <sip:010******77@h>;reason=no-answer"},
		"history":           {"History-Info: <sip:1380013800@h?Reason=SIP%3Bcause%3D302>;index=1", "History-Info: <sip:138*****00@h?Reason=SIP%3Bcause%3D302>;index=1"},
		"refer-to":          {"Refer-To: <sip:13700009999@h?Replaces=c1%3Bto-tag%3D2>", "Refer-To: <sip:137******99@h?Replaces=c1%3Bto-tag%3D2>"},
		"remote party":      {"Remote-Party-ID: \"x\" <sip:4001@h>;party=calling", "Remote-Party-ID: \"x\" <sip:4***@h>;party=calling"},
		"escaped":           {"From: <sip:%31%33900001234@h>", "From: <sip:139******34@h>"},
		"parameters":        {"To: <sip:13900001234;ext=13700009999;phone-context=+86@h>", "To: <sip:139******34;ext=137******99;phone-context=+86@h>"},
		"password":          {"To: <sip:1390:13700009999@h>", "To: <sip:139***********99@h>"},
		"nested":            {"Refer-To: <sip:a?X=sip:13700009999@h>", "Refer-To: <sip:a?X**************99@h>"},
		"call-id":           {"Call-ID: 13900001234-77@h", "Call-ID: 139******34-77@h"},
		"with country code": {"X-Caller: 008613900001234", "X-Caller: 00861********34"},
		"structure stays":   {"Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK1928301774;rport=5060", "Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK1928301774;rport=5060"},
		"no user":           {"Route: <sip:10.0.0.9:5060;lr>, <sip:h;lr>", "Route: <sip:10.0.0.9:5060;lr>, <sip:h;lr>"},
		"a key of audio":    {"X-Said: a=crypto:1 AEAD_AES_128_GCM inline:AAECAw+/139Z8==|2^20", "X-Said: a=crypto:1 AEAD_AES_128_GCM inline:(hidden)|2^20"},
		"a hidden key":      {"a=crypto:1 AEAD_AES_128_GCM inline:AAAAAAAA==|2^20", "a=crypto:1 AEAD_AES_128_GCM inline:AAAAAAAA==|2^20"},
		"not a scheme":      {"Subject: gossip:13700001111@h", "Subject: gossip:13700001111@h"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ladder := []call.SIPMessage{
				{Party: "13900001234", Head: c.came, Body: "application/sdp;x=13900001234, 214 octets"},
				{Party: "8002", Agent: true, Head: "INVITE sip:8002@h SIP/2.0\r\nFrom: <sip:+8613900001234@h>"},
			}
			shown := call.MaskLadder(ladder, "96777")
			require.Equal(t, c.shown, shown[0].Head)
			require.Equal(t, "139******34", shown[0].Party)
			require.Equal(t, "application/sdp;x=139******34, 214 octets", shown[0].Body)
			require.Equal(t, "8002", shown[1].Party)
			require.Equal(t, "INVITE sip:8002@h SIP/2.0\r\nFrom: <sip:+86*********34@h>", shown[1].Head)
			require.Equal(t, c.came, ladder[0].Head, "the original is left alone")
		})
	}
}

// Wherever a caller writes their number, however, its digits are not shown; and lines stay lines.
func FuzzMaskLadder(f *testing.F) {
	for _, seed := range []struct{ number, head string }{
		{"13900001234", "INVITE sip:1@h SIP/2.0\r\nFrom: \"13900001234\" <sip:13900001234@h>\r\nCall-ID: 13900001234"},
		{"1111111", "X: 11111111111111111111"},
		{"+8613900001234", "From: <sip:%2B8613900001234;a=8613900001234@h>, tel:139-0000-1234"},
		{"1231231", "X: 12312312312312311231"},
	} {
		f.Add(seed.number, seed.head)
	}
	f.Fuzz(func(t *testing.T, number, head string) {
		digits := strings.Map(func(r rune) rune {
			if r < '0' || r > '9' {
				return -1
			}
			return r
		}, number)
		shown := call.MaskLadder([]call.SIPMessage{{Party: number, Head: head}})
		require.Equal(t, strings.Count(head, "\n"), strings.Count(shown[0].Head, "\n"))
		if len(digits) >= 7 {
			require.NotContains(t, shown[0].Head, digits)
			require.NotContains(t, shown[0].Party, digits)
		}
	})
}
