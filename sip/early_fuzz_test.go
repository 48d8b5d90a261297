package sip

import (
	"net/netip"
	"testing"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

// withHeader is a request with one header only.
func withHeader(req *sipmsg.Request, name, value string) *sipmsg.Request {
	one := sipmsg.NewRequest(req.Method, req.Recipient)
	one.AppendHeader(sipmsg.NewHeader(name, value))
	return one
}

// FuzzResponse puts whatever the parser accepts through all that reads a response to an INVITE of ours.
func FuzzResponse(f *testing.F) {
	head := "Via: SIP/2.0/UDP x;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n"
	f.Add("SIP/2.0 183 Session Progress\r\n" + head + "Contact: <sip:c@d>\r\nRequire: 100rel\r\nRSeq: 1\r\n" +
		"Record-Route: <sip:p;lr>, <sip:q>\r\nContent-Length: 3\r\n\r\nv=0")
	f.Add("SIP/2.0 302 Moved\r\n" + head + "m: <sip:c@127.0.0.1:9>;q=0.5, *\r\nl: 0\r\n\r\n")
	f.Add("SIP/2.0 420 Bad\r\n" + head + "Unsupported: 100rel,\r\nWWW-Authenticate: Digest stale=true\r\nl: 0\r\n\r\n")
	phone := flow{source: netip.MustParseAddrPort("127.0.0.1:9"), contact: sipmsg.Uri{Scheme: schemeSIP, User: "8001", Host: "p"}}
	f.Fuzz(func(t *testing.T, text string) {
		msg, err := sipmsg.ParseMessage([]byte(text))
		if err != nil {
			return
		}
		res, ok := msg.(*sipmsg.Response)
		if !ok || res.CSeq() == nil {
			return
		}
		m, err := newMetrics(nil)
		require.NoError(t, err)
		r := &ringing{
			ua: &UA{log: zap.NewNop(), metrics: m}, challenges: make(map[int]challenge),
			o: outgoing{redirect: phone.isLine, require: ours(), authorize: authorizeAs("8001", "one")},
			d: dialog{CallID: "1", LocalTag: "1", Target: "sip:c@d", Transport: transportUDP, Ours: phone.source},
		}
		r.begin()
		_, prack, err := r.prackOf(res)
		if err == nil && prack != nil {
			require.NotEmpty(t, prack.String())
			_, again, err := r.prackOf(res)
			require.NoError(t, err)
			require.Nil(t, again, "acknowledged once")
		}
		if d, err := r.confirmed(res); err == nil {
			_, _ = d.request(sipmsg.BYE, 0) // an error is as good as a request
		}
		tries := 0
		for r.mend(res) {
			tries++
			require.LessOrEqual(t, tries, maxChallenges, "it ends")
		}
		if r.redirected {
			var to sipmsg.Uri
			require.NoError(t, sipmsg.ParseUri(r.d.Target, &to))
			require.True(t, phone.isLine(to), r.d.Target)
		}
	})
}
