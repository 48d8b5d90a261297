package sip

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

// identityRequest is an INVITE with some headers.
func identityRequest(headers string) string {
	return "INVITE sip:96777@x SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\n" +
		strings.ReplaceAll(headers, "\n", "\r\n") + "To: <sip:96777@x>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n" +
		"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
}

// identified is what a trunk's INVITE says of its caller, a line each.
func identified(req *sipmsg.Request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "from %s\n", callerOf(req))
	if private(req) {
		b.WriteString("private\n")
	}
	for _, d := range diverted(req) {
		fmt.Fprintf(&b, "%s %s %s\n", d.Header, d.From, d.Reason)
	}
	return b.String()
}

// TestIdentity: each archive has the headers of an INVITE, and what is made of them.
func TestIdentity(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/identity/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		require.NoError(t, err)
		require.Len(t, archive.Files, 2, file)
		msg, err := sipmsg.ParseMessage([]byte(identityRequest(string(archive.Files[0].Data))))
		require.NoError(t, err, file)
		require.Equal(t, string(archive.Files[1].Data), identified(msg.(*sipmsg.Request)), file)
	}
}

// FuzzIdentity puts whatever stands in the headers of a trunk's INVITE through all that reads it: what comes of it is
// plain, and not much.
func FuzzIdentity(f *testing.F) {
	files, err := filepath.Glob("testdata/identity/*.txtar")
	require.NoError(f, err)
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		require.NoError(f, err)
		f.Add(string(archive.Files[0].Data))
	}
	f.Fuzz(func(t *testing.T, headers string) {
		msg, err := sipmsg.ParseMessage([]byte(identityRequest(headers)))
		if err != nil {
			return
		}
		req, ok := msg.(*sipmsg.Request)
		if !ok || req.From() == nil {
			return
		}
		require.NotEmpty(t, plain(callerOf(req)))
		private(req)
		ds := diverted(req)
		require.LessOrEqual(t, len(ds), maxDiversions)
		for _, d := range ds {
			require.NotEmpty(t, plain(d.From))
			require.NotEmpty(t, plain(d.Reason))
		}
	})
}

// FuzzReferTo puts whatever stands in a Refer-To through all that reads it.
func FuzzReferTo(f *testing.F) {
	for _, s := range []string{
		"<sip:8002@hotline?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2%3Bearly-only>", "tel:139", "\"a\" <sips:b;method=INVITE>", "<sip:x?Replaces=%>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, name := range []string{"Refer-To", "r"} {
			msg, err := sipmsg.ParseMessage([]byte(identityRequest("From: <sip:a@b>;tag=1\n" + name + ": " + value + "\nEvent: " + value + "\n")))
			if err != nil {
				continue
			}
			req := msg.(*sipmsg.Request)
			eventOf(req)
			noSubscription(req)
			uri, ok := referTo(req)
			if !ok {
				continue
			}
			if n := dialled(uri); n != "" {
				require.Equal(t, n, plain(n))
			}
			if r, there, ok := replacesOf(uri); there && ok {
				require.NotEmpty(t, r.callID+r.toTag+r.fromTag)
			}
		}
		fragStatus(value)
	})
}

// What a caller's phone says of itself is believed of a trunk only: an agent is who proved it.
func TestIdentityIsATrunks(t *testing.T) {
	t.Parallel()
	got := make(chan call.Incoming, 1)
	r := newRig(t, func(o *Options) {
		o.OnIncoming = func(_ context.Context, in call.Incoming) {
			got <- in
			in.Leg.Hangup(call.CauseDeclined)
		}
	})
	claims := []string{
		"P-Asserted-Identity: <sip:110@carrier>", "Privacy: id", "Diversion: <sip:120@carrier>;reason=away",
		"History-Info: <sip:1@x>;index=1, <sip:2@x;cause=302>;index=1.1",
	}
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.invite(claims...)
	k.ack(k.p.status("INVITE", 603), "")
	in := next(t, got)
	require.Equal(t, "city", in.Trunk)
	require.Equal(t, "110", in.From)
	require.True(t, in.Private)
	require.Equal(t, []call.Diversion{
		{From: "120", Reason: "away", Header: "diversion"}, {From: "1", Reason: "unconditional", Header: "history-info"},
	}, in.Diverted)

	p := newPeer(t, "udp", r.udp())
	p.register(r)
	k = p.inviteAsAgent(testNumber, claims...)
	k.ack(k.p.status("INVITE", 603), "")
	in = next(t, got)
	require.Equal(t, "8001", in.Agent)
	require.Equal(t, "8001", in.From)
	require.False(t, in.Private)
	require.Empty(t, in.Diverted)
}

// A caller who asked for it is not shown to the agent (RFC 3323 section 4.1.1.3, RFC 3325 section 9.3).
func TestRingPrivate(t *testing.T) {
	t.Parallel()
	r, p := registeredPhone(t, rigT1)
	out := make(chan error, 1)
	go func() {
		_, err := r.Ring(t.Context(), call.RingRequest{Agent: "8001", From: "13900001234", Display: "张三 13900001234", Private: true})
		out <- err
	}()
	inv := p.expect("INVITE", "INVITE")
	require.Contains(t, inv.header("from"), `"Anonymous" <sip:anonymous@anonymous.invalid>;tag=`)
	require.Equal(t, "id", inv.header("privacy"))
	require.NotContains(t, inv.raw, "1390000")
	require.NotContains(t, inv.raw, "张")
	p.respond(inv, 486, "Busy Here", "x", "")
	require.Error(t, next(t, out))
	p.expect("ACK", "ACK")
}
