package sip

import (
	"math"
	"strings"
	"testing"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/require"
)

// parsed reads a message of lines, as the transports do.
func parsed(t *testing.T, lines ...string) sipmsg.Message {
	t.Helper()
	msg, err := sipmsg.NewParser().ParseSIP([]byte(strings.Join(lines, "\r\n") + "\r\nContent-Length: 0\r\n\r\n"))
	require.NoError(t, err)
	return msg
}

// invitedDialog is the dialog of an INVITE that came in with some Record-Routes.
func invitedDialog(t *testing.T, from string, seq string, routes ...string) dialog {
	t.Helper()
	req, ok := parsed(t, append([]string{
		"INVITE sip:96777@x SIP/2.0", "Via: SIP/2.0/UDP x;branch=z9hG4bK1", "From: " + from, "To: <sip:96777@x>",
		"Call-ID: c1", "CSeq: " + seq + " INVITE", "Contact: <sip:caller@far.example:5070;ob>",
	}, routes...)...).(*sipmsg.Request)
	require.True(t, ok)
	d, err := dialogOfInvite(&exchange{req: req, localTag: "ours"}, "")
	require.NoError(t, err)
	return d
}

// The route set of an INVITE that came in is its Record-Routes in order, that of a response to ours is reversed
// (RFC 3261 sections 12.1.1, 12.1.2), be they headers or members of one; a strict router gets what is sent to it
// (section 12.2.1.1).
func TestRoutes(t *testing.T) {
	t.Parallel()
	const target = "sip:caller@far.example:5070;ob"
	for _, c := range []struct {
		name             string
		recordRoutes     []string
		uas, uac         string   // Request-URI
		uasSet, uacSet   []string // Route
		uasNext, uacNext string   // host and port to send to
	}{
		{"none", nil, target, target, nil, nil, "far.example:5070", "far.example:5070"},
		{
			"loose",
			[]string{"Record-Route: <sip:p1.example;lr>", "Record-Route: <sip:p2.example:5062;lr>"},
			target, target,
			[]string{"<sip:p1.example;lr>", "<sip:p2.example:5062;lr>"},
			[]string{"<sip:p2.example:5062;lr>", "<sip:p1.example;lr>"},
			"p1.example:5060", "p2.example:5062",
		},
		{
			"joined",
			[]string{"Record-Route: <sip:p1.example;lr>,  <sip:p2.example;lr=on> , <sip:p3.example;lr;r2=a>"},
			target, target,
			[]string{"<sip:p1.example;lr>", "<sip:p2.example;lr=on>", "<sip:p3.example;lr;r2=a>"},
			[]string{"<sip:p3.example;lr;r2=a>", "<sip:p2.example;lr=on>", "<sip:p1.example;lr>"},
			"p1.example:5060", "p3.example:5060",
		},
		{
			"named",
			[]string{`Record-Route: "Proxy, the first" <sip:p1.example;lr>;x=y, <sip:p2.example;lr>`},
			target, target,
			[]string{"<sip:p1.example;lr>", "<sip:p2.example;lr>"},
			[]string{"<sip:p2.example;lr>", "<sip:p1.example;lr>"},
			"p1.example:5060", "p2.example:5060",
		},
		{
			"strict first",
			[]string{"Record-Route: <sip:p1.example;method=BYE?a=b>, <sip:p2.example;lr>"},
			"sip:p1.example", target,
			[]string{"<sip:p2.example;lr>", "<" + target + ">"},
			[]string{"<sip:p2.example;lr>", "<sip:p1.example;method=BYE?a=b>"},
			"p1.example:5060", "p2.example:5060",
		},
		{
			"strict alone",
			[]string{"Record-Route: <sip:[2001:db8::1]:5062>"},
			"sip:[2001:db8::1]:5062", "sip:[2001:db8::1]:5062",
			[]string{"<" + target + ">"},
			[]string{"<" + target + ">"},
			"[2001:db8::1]:5062", "[2001:db8::1]:5062",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			check := func(d dialog, uri string, set []string, next string) {
				req, err := d.request(sipmsg.BYE, 0)
				require.NoError(t, err)
				require.Equal(t, uri, req.Recipient.String())
				var got []string
				for _, h := range req.GetHeaders("route") {
					got = append(got, h.Value())
				}
				require.Equal(t, set, got)
				hop, err := d.nextURI()
				require.NoError(t, err)
				require.Equal(t, next, hostPort(&hop))
			}
			check(invitedDialog(t, "<sip:a@far.example>;tag=1", "1", c.recordRoutes...), c.uas, c.uasSet, c.uasNext)
			res, ok := parsed(t, append([]string{
				"SIP/2.0 200 OK", "Via: SIP/2.0/UDP x;branch=z9hG4bK1", "From: <sip:a@x>;tag=ours", "To: <sip:b@x>;tag=theirs",
				"Call-ID: c1", "CSeq: 1 INVITE", "Contact: <" + target + ">",
			}, c.recordRoutes...)...).(*sipmsg.Response)
			require.True(t, ok)
			ringing := dialog{Routes: []string{"<sip:early.example;lr>"}, Target: "sip:early@early.example"}
			d, err := ringing.answeredBy(res)
			require.NoError(t, err)
			require.Equal(t, "theirs", d.RemoteTag)
			check(d, c.uac, c.uacSet, c.uacNext)
		})
	}
}

// The number spaces of the two directions are apart (RFC 3261 section 12.2.1.1); theirs begins anywhere below
// 2^31 (section 8.1.1.5), and does not fall.
func TestNumberSpaces(t *testing.T) {
	t.Parallel()
	d := invitedDialog(t, "<sip:a@x>;tag=1", "2147483646")
	for want := range uint32(3) {
		req, err := d.request(sipmsg.INFO, 0)
		require.NoError(t, err)
		require.Equal(t, want+1, req.CSeq().SeqNo, "ours begin at one")
	}
	ack, err := d.request(sipmsg.ACK, 2)
	require.NoError(t, err)
	require.Equal(t, uint32(2), ack.CSeq().SeqNo, "an ACK has its INVITE's")
	require.Equal(t, uint32(3), d.LocalSeq)
	taken := func(seq uint32) bool {
		req := sipmsg.NewRequest(sipmsg.INFO, sipmsg.Uri{Scheme: schemeSIP, Host: "x"})
		req.AppendHeader(&sipmsg.CSeqHeader{SeqNo: seq, MethodName: sipmsg.INFO})
		return d.inOrder(req)
	}
	require.True(t, taken(math.MaxInt32))
	require.False(t, taken(math.MaxInt32-1))
	require.False(t, taken(1), "it does not wrap")
	require.Equal(t, uint32(math.MaxInt32), d.RemoteSeq)
}

// Peers of RFC 2543 have no tags: theirs is empty, and not written (RFC 3261 sections 12.1.1, 12.1.2).
func TestDialogWithoutTheirTag(t *testing.T) {
	t.Parallel()
	uas := invitedDialog(t, "<sip:old@far.example>", "1")
	res, ok := parsed(t,
		"SIP/2.0 200 OK", "Via: SIP/2.0/UDP x;branch=z9hG4bK1", "From: <sip:a@x>;tag=ours", "To: <sip:old@far.example>",
		"Call-ID: c1", "CSeq: 1 INVITE", "Contact: <sip:old@far.example>").(*sipmsg.Response)
	require.True(t, ok)
	uac, err := dialog{CallID: "c1", LocalTag: "ours", Remote: "<sip:old@far.example>", LocalSeq: 1}.answeredBy(res)
	require.NoError(t, err)
	for _, d := range []dialog{uas, uac} {
		require.Empty(t, d.RemoteTag)
		require.Equal(t, dialogID("c1", "ours", ""), d.id())
		req, err := d.request(sipmsg.BYE, 0)
		require.NoError(t, err)
		require.Equal(t, "<sip:old@far.example>", req.GetHeader("to").Value())
		require.Contains(t, req.GetHeader("from").Value(), ";tag=ours")
	}
}

// What cannot make a dialog is an error.
func TestNoDialog(t *testing.T) {
	t.Parallel()
	head := []string{"SIP/2.0 200 OK", "Via: SIP/2.0/UDP x;branch=z9hG4bK1", "From: <sip:a@x>;tag=ours", "Call-ID: c1", "CSeq: 1 INVITE"}
	for _, lines := range [][]string{
		{"To: <sip:b@x>;tag=1"},
		{"Contact: <sip:b@x>"},
		{"To: <sip:b@x>;tag=1", "Contact: *"},
		{"To: <sip:b@x>;tag=1", "Contact: <tel:+1>"},
		{"To: <sip:b@x>;tag=1", "Contact: <sip:>"},
	} {
		res, ok := parsed(t, append(head[:5:5], lines...)...).(*sipmsg.Response)
		require.True(t, ok)
		_, err := dialog{}.answeredBy(res)
		require.Error(t, err)
	}
	d := dialog{Target: "sip:b@x", Routes: []string{"<nothing"}}
	_, err := d.request(sipmsg.BYE, 0)
	require.Error(t, err)
	_, err = d.nextURI()
	require.Error(t, err)
	d = dialog{Target: "x"}
	_, err = d.request(sipmsg.BYE, 0)
	require.Error(t, err)
}

// A target refresh moves the target and nothing else (RFC 3261 sections 12.2.1.2, 12.2.2); one without a Contact
// leaves it.
func TestTargetRefresh(t *testing.T) {
	t.Parallel()
	d := invitedDialog(t, "<sip:a@x>;tag=1", "1", "Record-Route: <sip:p1.example;lr>")
	before := d
	base := []string{"Via: SIP/2.0/UDP x;branch=z9hG4bK1", "From: <sip:a@x>;tag=1", "To: <sip:b@x>;tag=2", "Call-ID: c1", "CSeq: 2 INVITE"}
	req := parsed(t, append([]string{"INVITE sip:b@x SIP/2.0", "Contact: <sip:moved@far.example>", "Record-Route: <sip:p9.example;lr>"}, base...)...)
	d.refresh(req.(*sipmsg.Request))
	require.Equal(t, "sip:moved@far.example", d.Target)
	d.refresh(parsed(t, append([]string{"SIP/2.0 200 OK", "Contact: <sip:again@far.example>"}, base...)...).(*sipmsg.Response))
	require.Equal(t, "sip:again@far.example", d.Target)
	d.refresh(parsed(t, append([]string{"SIP/2.0 200 OK"}, base...)...).(*sipmsg.Response))
	require.Equal(t, "sip:again@far.example", d.Target)
	d.Target = before.Target
	require.Equal(t, before, d)
}
