package sip

import (
	"context"
	"testing"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
	"hotline/media"
)

// TestLegSuite shows that the real leg does what every call.Leg must, with a peer on the wire.
func TestLegSuite(t *testing.T) {
	t.Parallel()
	calltest.SuiteLeg(t, func(t *testing.T) calltest.Rig {
		t.Helper()
		legs := make(chan call.Leg, 1)
		r := newRig(t, func(o *Options) {
			o.OnIncoming = func(_ context.Context, in call.Incoming) {
				legs <- in.Leg
				<-in.Leg.Context().Done()
			}
		})
		k := newPeer(t, "udp", r.udp()).dialog(testNumber)
		k.invite()
		acked := false
		ack := func() {
			if !acked {
				acked = true
				k.ack(k.p.status("INVITE", 200), "")
			}
		}
		leg := next(t, legs)
		t.Cleanup(func() {
			ack()
			if e, over := call.EndOf(leg); over && e.By == call.System {
				k.p.respond(k.p.expect("BYE", "BYE"), 200, "OK", "", "")
			}
		})
		return calltest.Rig{
			Leg:       leg,
			FarHangup: func() { ack(); k.request("BYE", ""); k.p.status("BYE", 200) },
			FarKey: func(key media.Key) {
				ack()
				k.request("INFO", "Signal="+key.String(), "Content-Type: application/dtmf-relay")
				k.p.status("INFO", 200)
			},
		}
	})
}

// FuzzRequest puts whatever the parser accepts through all that reads a request before it is believed.
func FuzzRequest(f *testing.F) {
	f.Add("INVITE sip:96777@x SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n" +
		"Call-ID: 1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:a@b>\r\nRecord-Route: <sip:p>\r\n" +
		"P-Asserted-Identity: <tel:+1>\r\nRequire: a,b\r\nContent-Length: 0\r\n\r\n")
	f.Add("INFO tel:1 SIP/2.0\r\nv: SIP/2.0/TCP x\r\nf: a\r\nt: b\r\ni: 1\r\nCSeq: 1 INFO\r\nl: 3\r\n\r\nabc")
	u, parser := &UA{}, newParser()
	f.Fuzz(func(t *testing.T, text string) {
		if sketch(text).fault != (fault{}) {
			return
		}
		msg, err := parser.ParseSIP([]byte(text))
		require.NoError(t, err, "the outline let it pass")
		_, err = sipmsg.ServerTxKeyMake(msg)
		req, ok := msg.(*sipmsg.Request)
		if !ok {
			return
		}
		if modern(req) || req.From().Params.Has("tag") {
			require.NoError(t, err, "the outline let it pass")
		}
		tag := u.tagFor(req)
		require.Equal(t, tag, u.tagFor(req))
		if ack, ok := rackOf(req); ok {
			again, ok := rackOf(withHeader(req, "RAck", ack.String()))
			require.True(t, ok)
			require.Equal(t, ack, again)
		}
		x := &exchange{ua: u, req: req, localTag: tag}
		if code, _ := check(x); code != 0 {
			return
		}
		for _, n := range []string{callerOf(req), dialled(&req.Recipient)} {
			require.LessOrEqual(t, len(n), maxNumber)
			require.NotContains(t, n, "\n")
		}
		d, err := dialogOfInvite(x, "")
		if err != nil {
			return
		}
		if bye, err := d.request(sipmsg.BYE, 0); err == nil {
			require.NotEmpty(t, bye.String())
		}
		_, _ = d.nextURI() // an error is as good as an answer
		if k, ok := infoKey(string(req.Body())); ok {
			require.True(t, k.Valid())
		}
	})
}
