package sip

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

// busy is an OnIncoming that takes no call, so that 486 shows what reached it.
func busy(_ context.Context, in call.Incoming) { in.Leg.Hangup(call.CauseBusy) }

// Every line of testdata/checks.txtar, over UDP and TCP.
func TestChecks(t *testing.T) {
	t.Parallel()
	cases, err := txtar.ParseFile("testdata/checks.txtar")
	require.NoError(t, err)
	for _, network := range []string{"udp", "tcp"} {
		for _, f := range cases.Files {
			t.Run(network+" "+f.Name, func(t *testing.T) {
				t.Parallel()
				runCheck(t, network, string(f.Data))
			})
		}
	}
}

func runCheck(t *testing.T, network, text string) {
	t.Helper()
	r := newRig(t, func(o *Options) { o.OnIncoming = busy })
	at := r.udp()
	if network == "tcp" {
		at = r.tcp()
	}
	p := newPeer(t, network, at)
	wishes, message, _ := strings.Cut(text, "\n\n")
	head, body, _ := strings.Cut(message, "\n\n")
	body = strings.ReplaceAll(strings.ReplaceAll(body, "$SDP", sdpGood), "\r\n", "\n")
	id := newID()
	fill := strings.NewReplacer("$VIA", "SIP/2.0/"+p.transport()+" "+p.addr()+";rport;branch="+newBranch(), "$ID", id,
		"$LENGTH", strconv.Itoa(len(strings.ReplaceAll(body, "\n", "\r\n"))), "$ALLOW", allowed)
	p.write(fill.Replace(head) + "\n\n" + body)
	want := ""
	var has []string
	for line := range strings.Lines(wishes) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case key == "want" && want == "", key == "tcp" && network == "tcp":
			want = value
		case key == "has":
			has = append(has, fill.Replace(value))
		}
	}
	if why, silent := strings.CutPrefix(want, "silence "); silent {
		require.Eventually(t, func() bool { return r.dropped(why) == 1 }, testWait, time.Millisecond)
		require.Equal(t, 1, r.dropsOf(t))
		return
	}
	var w wire
	for w.start == "" || strings.HasPrefix(w.start, "SIP/2.0 1") {
		var err error
		w, err = p.read(testWait)
		require.NoError(t, err)
	}
	require.True(t, strings.HasPrefix(w.start, "SIP/2.0 "+want+" "), w.start)
	require.Equal(t, id, w.header("call-id"))
	require.NotEmpty(t, w.tag("to"))
	for _, h := range has {
		name, value, _ := strings.Cut(h, ": ")
		require.Equal(t, value, w.header(name))
	}
	require.Zero(t, r.dropsOf(t))
	require.Zero(t, r.panics.Load())
}

// The offer that a caller sends among other parts is what the call is answered by.
func TestOfferAmongParts(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 1)
	r := newRig(t, func(o *Options) { o.OnIncoming = untilOver(legs) })
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.request("INVITE", "--b\r\nContent-Type: application/pidf+xml\r\n\r\n<p/>\r\n--b\r\nContent-Type: application/sdp\r\n\r\n"+
		sdpGood+"\r\n--b--\r\n", "Content-Type: multipart/mixed;boundary=b")
	w := k.p.status("INVITE", 200)
	require.Equal(t, sdpOurs, w.body)
	require.Equal(t, sdpGood, r.engine.opened()[0].answerTaken())
	k.ack(w, "")
	next(t, legs)
	k.bye()
}

// A stream is cut into messages however it arrives; what is refused in it, but ends somewhere, does not end it.
func TestStreamFraming(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) { o.OnIncoming = busy })
	p := newPeer(t, "tcp", r.tcp())
	k := p.dialog(testNumber)
	good := func(seq int) string { return k.message("OPTIONS", seq, newBranch(), "") }
	bad := strings.Replace(good(1), "CSeq: 1", "Broken\r\nCSeq: 1", 1)
	whole := "\r\n" + good(2) + "\r\n\r\n" + bad + good(3) + k.message("OPTIONS", 4, newBranch(), "body", "Content-Type: text/plain")
	for i := 0; i < len(whole); i += 7 {
		_, err := io.WriteString(p.conn, whole[i:min(i+7, len(whole))])
		require.NoError(t, err)
	}
	answers := make(map[string]string) // by CSeq; each is served on its own goroutine
	pong := false
	for len(answers) < 4 {
		b, err := p.in.Peek(2)
		require.NoError(t, err)
		if string(b) == "\r\n" {
			pong = true
			_, err = p.in.Discard(2)
			require.NoError(t, err)
			continue
		}
		w, err := p.read(testWait)
		require.NoError(t, err)
		answers[w.header("cseq")] = strings.Fields(w.start)[1]
	}
	require.True(t, pong, "RFC 5626 section 3.5.1")
	require.Equal(t, map[string]string{"1 OPTIONS": "400", "2 OPTIONS": "200", "3 OPTIONS": "200", "4 OPTIONS": "200"}, answers)
}

// A stream that cannot be cut any more is answered and closed; what never ends is no larger than any message.
func TestStreamLost(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for name, c := range map[string]struct{ mangle, code string }{
		"length unknown": {"Content-Length: x\r\n", "400"},
		"two lengths":    {"Content-Length: 0\r\nl: 0\r\n", "400"},
		"too large":      {"Content-Length: 16384\r\n", "513"},
		"far too large":  {"Content-Length: 20000\r\n", "513"},
		"beyond numbers": {"Content-Length: 99999999999999999999\r\n", "513"},
		"endless":        {"X: " + strings.Repeat("x", maxDatagram), "513"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, "tcp", r.tcp())
			k := p.dialog(testNumber)
			p.write(strings.Replace(k.message("OPTIONS", 1, newBranch(), ""), "Content-Length: 0\r\n", c.mangle, 1))
			p.expect("SIP/2.0 "+c.code+" ", "OPTIONS")
			p.closed()
		})
	}
}

// What is larger than a message may be is owed 513 over UDP too, as far as it was read.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	p := newPeer(t, "udp", r.udp())
	for _, extra := range []string{
		"Subject: " + strings.Repeat("x", maxDatagram), strings.Repeat("a:b\r\n", 200) + "c: d", "Subject: " + strings.Repeat(";", 200),
	} {
		p.write(p.dialog(testNumber).message("OPTIONS", 1, newBranch(), "", extra))
		p.status("OPTIONS", 513)
	}
	p.write("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\nCSeq: 1 OPTIONS\r\nX: " + strings.Repeat("x", maxDatagram) + "\r\n\r\n")
	require.Eventually(t, func() bool { return r.dropped(dropTooBig) == 1 }, testWait, time.Millisecond)
}

// TestLongNumber: where a long number hides the headers behind it, who is known is answered all the same.
func TestLongNumber(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for where, digits := range map[string]int{"sip:": 9_000, "INVITE sip:": 20_000} {
		for network, to := range map[string]netip.AddrPort{"udp": r.udp(), "tcp": r.tcp()} {
			t.Run(fmt.Sprint(network, digits), func(t *testing.T) {
				p := newPeer(t, network, to)
				msg := strings.ReplaceAll(p.dialog(testNumber).message("INVITE", 1, newBranch(), ""), where+testNumber, where+strings.Repeat("1", digits))
				require.Greater(t, len(msg), maxDatagram)
				p.write(msg)
				p.status("INVITE", 513)
				if network == "tcp" {
					p.closed()
				}
			})
		}
	}
}

// Line ends before a message are no part of it (RFC 3261 section 7.5); alone they are a keep-alive.
func TestLineEndsBefore(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	p := newPeer(t, "udp", r.udp())
	p.write("\r\n\r\n")
	k := p.dialog(testNumber)
	p.write("\r\n\r\n" + k.message("OPTIONS", 1, newBranch(), ""))
	p.status("OPTIONS", 200)
	require.Zero(t, r.dropsOf(t))
}

// However a stream arrives, its messages are the same.
func FuzzFramer(f *testing.F) {
	const options = "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP h\r\nFrom: <sip:a@h>\r\nTo: <sip:a@h>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nl: 2\r\n\r\nab"
	f.Add([]byte(options+"\r\n\r\n"+options), 3)
	f.Add([]byte("\r\n\r"+strings.Replace(options, "l: 2", "l: 99999", 1)), 1)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		read := func(size int) (out []string) {
			var in framer
			for rest := stream; len(rest) > 0; {
				n := min(max(size, 1), len(rest))
				in.write(rest[:n])
				rest = rest[n:]
				for {
					frame, ok := in.next()
					if !ok {
						break
					}
					require.LessOrEqual(t, len(frame.message), maxDatagram)
					if frame.lost {
						return append(out, "lost")
					}
					if frame.refused != nil {
						out = append(out, "refused")
					} else {
						out = append(out, string(frame.message))
					}
				}
				require.LessOrEqual(t, len(in.buf), maxDatagram+len(stream))
			}
			return out
		}
		require.Equal(t, read(len(stream)), read(min(size, 1<<10)))
	})
}

// Sipgo.md row 4: what is larger than sipgo would send over UDP is sent all the same.
func TestLargeResponse(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 1)
	r := newRig(t, func(o *Options) { o.OnIncoming = untilOver(legs) })
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	via := "SIP/2.0/UDP " + strings.Repeat("proxy.", 30) + "example;branch=z9hG4bKp"
	k.request("INVITE", sdpGood, sdpHeader, strings.TrimSuffix(strings.Repeat("Via: "+via+"\r\n", 20), "\r\n"))
	w := k.p.status("INVITE", 200)
	require.Greater(t, len(w.raw), 3000)
	k.ack(w, "")
	next(t, legs)
	k.bye()
}
