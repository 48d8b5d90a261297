package sip

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/media"
)

// described is a session description with an address, a port, codecs, and lines at its session and its audio.
func described(address string, port int, formats, session, audio string) string {
	return "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 " + address + "\r\nt=0 0\r\n" + session +
		fmt.Sprintf("m=audio %d RTP/AVP %s\r\n", port, formats) + audio
}

// directionOf is what a description of ours says of its audio: the port, if it is off, or the direction.
func directionOf(t *testing.T, sdp string) string {
	t.Helper()
	if strings.Contains(sdp, "m=audio 0 ") {
		return "off"
	}
	for _, d := range []string{"sendrecv", "sendonly", "recvonly", "inactive"} {
		if strings.Contains(sdp, "a="+d+"\r\n") {
			return d
		}
	}
	require.Fail(t, "no direction", sdp)
	return ""
}

// Every way to hold and to take back: what we answer (RFC 3264 section 6.1), and whether the owner is told that we
// are held. One call goes through all of them, so each follows another.
func TestHoldInAllForms(t *testing.T) {
	t.Parallel()
	_, k, l, commands := upWith(t, func(o *Options) { o.Engine = newTestEngine(t) })
	const here = "127.0.0.1"
	for _, c := range []struct {
		name, offer string
		held        bool
		direction   string // of our answer
	}{
		{"sendonly", described(here, 4000, "8", "", "a=sendonly\r\n"), true, "recvonly"},
		{"again", described(here, 4000, "8", "", "a=sendonly\r\n"), true, "recvonly"},
		{"inactive", described(here, 4000, "8", "", "a=inactive\r\n"), true, "inactive"},
		{"sendrecv", described(here, 4000, "8", "", "a=sendrecv\r\n"), false, "sendrecv"},
		{"recvonly is no hold", described(here, 4000, "8", "", "a=recvonly\r\n"), false, "sendonly"},
		{"address 0.0.0.0", described("0.0.0.0", 4000, "8", "", ""), true, "recvonly"},
		{"address 0.0.0.0, inactive", described("0.0.0.0", 4000, "8", "", "a=inactive\r\n"), true, "inactive"},
		{"nothing said", described(here, 4000, "8", "", ""), false, "sendrecv"},
		{"sendonly of the session", described(here, 4000, "8", "a=sendonly\r\n", ""), true, "recvonly"},
		{"the line goes before the session", described(here, 4000, "8", "a=sendonly\r\n", "a=sendrecv\r\n"), false, "sendrecv"},
		{"inactive of the session", described(here, 4000, "8", "a=inactive\r\n", ""), true, "inactive"},
		{"resumed elsewhere, codecs in another order", described(here, 4002, "0 8", "", ""), false, "sendrecv"},
		{"port 0", described(here, 0, "8", "", ""), true, "off"},
		{"port 0 again", described(here, 0, "8", "", ""), true, "off"},
		{"resumed with a port", described(here, 4004, "8", "", ""), false, "sendrecv"},
	} {
		for _, method := range []string{"INVITE", "UPDATE"} {
			k.request(method, c.offer, sdpHeader)
			re, ok := next(t, commands).(call.Reoffered)
			require.True(t, ok, c.name)
			held, err := re.Accept()
			require.NoError(t, err, c.name)
			require.Equal(t, c.held, held, c.name)
			w := k.p.status(method, 200)
			require.Equal(t, c.direction, directionOf(t, w.body), c.name)
			require.Equal(t, media.PCMA, l.stream.Codec(), c.name)
			if method == "INVITE" {
				k.ack(w, "")
				l.acknowledged(t)
			}
		}
	}
	// A re-INVITE without an offer gets one of ours, both ways; the ACK says what becomes of it.
	for _, c := range []struct {
		answer string
		held   bool
	}{
		{described(here, 4004, "8", "", "a=sendonly\r\n"), true},
		{described("0.0.0.0", 4004, "8", "", ""), true},
		{described(here, 4004, "8", "", "a=inactive\r\n"), true},
		{described(here, 4004, "8", "", ""), false},
		{described(here, 0, "8", "", ""), true}, // switched off is no answer that cannot be used
		{described(here, 4004, "8", "", ""), false},
	} {
		k.request("INVITE", "")
		_, err := next(t, commands).(call.Reoffered).Accept()
		require.NoError(t, err)
		w := k.p.status("INVITE", 200)
		require.Equal(t, "sendrecv", directionOf(t, w.body))
		k.ack(w, c.answer)
		changed, ok := next(t, commands).(call.MediaChanged)
		require.True(t, ok)
		require.Equal(t, c.held, changed.Held, c.answer)
	}
	k.bye()
}

// A refresh while the far end holds repeats our description to the letter, and does not take it back.
func TestRefreshWhileHeld(t *testing.T) {
	t.Parallel()
	r, k, l, commands := upWith(t, func(o *Options) { o.Engine = newTestEngine(t) })
	for _, line := range []string{"a=sendonly\r\n", "a=inactive\r\n"} { // the second: both hold
		k.request("INVITE", described("127.0.0.1", 4000, "8", "", line), sdpHeader)
		_, err := next(t, commands).(call.Reoffered).Accept()
		require.NoError(t, err)
		w := k.p.status("INVITE", 200)
		k.ack(w, "")
		l.acknowledged(t)
		r.ask(l)
		req := k.p.expect("INVITE", "INVITE")
		require.Equal(t, w.body, req.body)
		k.p.respond(req, 200, "OK", "", described("127.0.0.1", 4000, "8", "", line))
		k.p.expect("ACK", "ACK")
		proved(t, l)
		require.True(t, l.stream.Held())
		require.Empty(t, commands)
	}
	k.bye()
}

// A phone of ours puts the hotline on hold and takes it back, and a hotline may do so to another.
func TestPhoneHolds(t *testing.T) {
	t.Parallel()
	b := newPhoneBench(t, "udp", Options{})
	s := b.phones(b.hotline.Addrs()[0])
	p := b.add(s, PhoneOptions{User: "13900001234"})
	theirs := make(chan call.Command, 4)
	type dialledLeg struct {
		leg call.Leg
		err error
	}
	out := make(chan dialledLeg, 1)
	go func() {
		l, err := p.Dial(t.Context(), testNumber, DialOptions{})
		out <- dialledLeg{l, err}
	}()
	in := next(t, b.calls)
	in.Leg.Attach(func(c call.Command) bool { theirs <- c; return true })
	_, err := in.Leg.Answer()
	require.NoError(t, err)
	got := next(t, out)
	require.NoError(t, got.err)
	for _, on := range []bool{true, true, false} {
		done := make(chan error, 1)
		go func() { done <- s.Hold(t.Context(), got.leg, on) }()
		held, err := next(t, theirs).(call.Reoffered).Accept()
		require.NoError(t, err)
		require.Equal(t, on, held)
		require.NoError(t, next(t, done))
	}
	done := make(chan error, 1)
	go func() { done <- s.Hold(t.Context(), got.leg, true) }()
	next(t, theirs).(call.Reoffered).Refuse(call.CauseDeclined)
	var refused *StatusError
	require.ErrorAs(t, next(t, done), &refused)
	require.Equal(t, 603, refused.Code)
	require.ErrorIs(t, s.Hold(t.Context(), in.Leg, true), errNotOurs)
	// A refresh and a hold of the other side at once: one of them waits, and both get what they want.
	b.hotline.ask(in.Leg.(*leg))
	go func() { done <- s.Hold(t.Context(), got.leg, true) }()
	held, err := next(t, theirs).(call.Reoffered).Accept()
	require.NoError(t, err)
	require.True(t, held)
	require.NoError(t, next(t, done))
	proved(t, in.Leg.(*leg))
	got.leg.Hangup(call.CauseBye)
	require.Equal(t, call.CauseBye, ended(t, in.Leg).Why)
	require.Error(t, s.Hold(t.Context(), got.leg, true), "the call is over")
}
