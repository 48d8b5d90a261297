package sip

import (
	"strings"
	"testing"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/require"
)

// fuzzLine keeps a fuzzed header value on its line.
var fuzzLine = strings.NewReplacer("\r", " ", "\n", " ")

// FuzzAuthorization: whatever stands in Authorization, the answer is 400 or 401, never a panic, and
// nobody gets in.
func FuzzAuthorization(f *testing.F) {
	for _, seed := range []string{
		`Digest username="8001", realm="hotline", nonce="n", uri="sip:h", response="00", qop=auth, nc=00000001, cnonce="c"`,
		`Digest username="8001", realm="hotline", nonce="n", uri="sip:h", response="00", algorithm=SHA-512-256, nc=-1`,
		`Digest`, `digest ,`, `Basic xx`, ``, `Digest realm="hotline", realm="\`, `Digest userhash=true, username="8004", realm="hotline"`,
	} {
		f.Add(seed)
	}
	r := newRegistrar(registrarOptions{realm: "hotline", agents: registrarAgents()})
	f.Fuzz(func(t *testing.T, value string) {
		req := registerRequest(t, "8001", "X: y", 1)
		req.AppendHeader(sipmsg.NewHeader("Authorization", value))
		res := r.handle(req, sourceAt(t, "UDP", "192.0.2.7:5071"))
		require.Contains(t, []int{400, 401}, res.StatusCode)
		agent, res := r.authenticate(req)
		require.Empty(t, agent)
		require.Contains(t, []int{400, 401}, res.StatusCode)
	})
}

// FuzzContact: whatever stands in Contact and Expires, a REGISTER whose credentials are right gets one
// of the answers of the RFC, a binding lasts as long as allowed, and the flow's URI can be sent.
func FuzzContact(f *testing.F) {
	for _, seed := range [][2]string{
		{`<sip:8001@192.0.2.7:5071>;expires=60`, "600"},
		{`"Zhang \" Min" <sip:8001@[2001:db8::1]:5060;transport=tcp;ob>;+sip.instance="<urn:uuid:1>";q=0.5`, ""},
		{`*`, "0"},
		{`sip:8001@h, <sip:a@b>;expires=0,<sip:c@d>`, "99999999999999999999"},
		{`<sip:@:0;;==;?>`, "-1"},
		{`<sips:x>;expires="`, "1e9"},
	} {
		f.Add(seed[0], seed[1])
	}
	src := "192.0.2.7:5071"
	f.Fuzz(func(t *testing.T, contact, expires string) {
		text := "REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\n" +
			"From: <sip:8001@h>;tag=1\r\nTo: <sip:8001@h>\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n" +
			"Contact: " + fuzzLine.Replace(contact) + "\r\nExpires: " + fuzzLine.Replace(expires) + "\r\n" +
			"Content-Length: 0\r\n\r\n"
		msg, err := sipmsg.ParseMessage([]byte(text))
		if err != nil {
			return
		}
		req, ok := msg.(*sipmsg.Request)
		if !ok {
			return
		}
		r := newRegistrar(registrarOptions{realm: "hotline", agents: registrarAgents()})
		s := &scenario{t: t, r: r}
		s.remember(r.handle(registerRequest(t, "8001", "X: y", 1), sourceAt(t, "UDP", src)))
		req.AppendHeader(sipmsg.NewHeader("Authorization",
			s.credentials("REGISTER", []string{"user=8001", "password=one"})))
		res := r.handle(req, sourceAt(t, "UDP", src))
		require.Contains(t, []int{200, 400, 423}, res.StatusCode)
		require.NotEmpty(t, res.String())
		fl, bound := r.lookup("8001")
		if !bound {
			return
		}
		uri := fl.contact.String()
		require.LessOrEqual(t, len(uri), maxContactLen)
		require.NotContains(t, uri, "\n")
		b := r.bindings.byAgent["8001"][0]
		require.False(t, b.expires.After(b.nextPing.Add(r.o.maxExpires)))
	})
}
