package media

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
)

func testNegotiator(prefer Codec) *negotiator {
	return &negotiator{
		local:   netip.MustParseAddrPort("198.51.100.1:20000"),
		codecs:  preferring(prefer, []Codec{PCMA, PCMU}),
		session: 42,
	}
}

// outline is a description's lines from c= on, without those that never change.
func outline(t *testing.T, b []byte) string {
	t.Helper()
	require.NoError(t, new(sdp.SessionDescription).UnmarshalString(pionWillRead(string(b))), "what we write is well-formed")
	require.True(t, strings.HasPrefix(string(b), "v=0\r\no=hotline 42 "), "%s", b)
	_, rest, _ := strings.Cut(string(b), "s=-\r\n")
	return strings.ReplaceAll(strings.Replace(rest, "t=0 0\r\n", "", 1), "\r\n", "\n")
}

// pionWillRead renames what pion's reader does not know.
func pionWillRead(s string) string { return strings.ReplaceAll(s, "m=image 0 udptl", "m=video 0 UDP") }

func (a *agreement) outline() string {
	event := "none"
	if a.hasEvent {
		event = fmt.Sprint(a.event)
	}
	return fmt.Sprintf("codec %s audio %d event %s to %s rtcp %s send %t\n",
		a.codec, a.audio, event, a.remote, a.rtcp, a.send)
}

func TestAnswer(t *testing.T) {
	files, err := filepath.Glob("testdata/sdp/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			parts := map[string]string{}
			for _, f := range archive.Files {
				parts[f.Name] = string(f.Data)
			}
			n := testNegotiator(Codec(strings.TrimSpace(parts["prefer"])))
			for _, newline := range []string{"\r\n", "\n"} { // the second is wrong, and common
				if before := parts["before"]; before != "" { // what was agreed on before
					_, _, err := n.answer([]byte(before))
					require.NoError(t, err)
				}
				answer, a, err := n.answer([]byte(strings.ReplaceAll(parts["offer"], "\n", newline)))
				switch strings.TrimSpace(parts["error"]) {
				case "bad":
					require.ErrorIs(t, err, ErrBadSDP)
				case "not acceptable":
					require.ErrorIs(t, err, ErrNotAcceptable)
				default:
					require.NoError(t, err)
					require.Equal(t, parts["answer"], outline(t, answer))
					require.Equal(t, parts["agreed"], a.outline())
					require.Equal(t, a, n.agreed)
					continue
				}
				require.Nil(t, n.agreed)
				require.Zero(t, n.version, "no description was given")
			}
		})
	}
}

func describe(lines ...string) []byte {
	all := append([]string{"v=0", "o=- 7 3 IN IP4 192.0.2.7", "s=-", "c=IN IP4 192.0.2.7", "t=0 0"}, lines...)
	return []byte(strings.Join(all, "\r\n") + "\r\n")
}

func TestOfferAccept(t *testing.T) {
	n := testNegotiator(PCMU)
	offer := n.offer()
	require.Equal(t, `c=IN IP4 198.51.100.1
m=audio 20000 RTP/AVP 0 8 101
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a=sendrecv
`, outline(t, offer))
	a, err := n.accept(describe("m=audio 4000 RTP/AVP 8 96", "a=rtpmap:96 telephone-event/8000", "a=sendonly"))
	require.NoError(t, err)
	require.Equal(t, "codec pcma audio 8 event 96 to 192.0.2.7:4000 rtcp 192.0.2.7:4001 send false\n", a.outline())
	require.Equal(t, []payloadKind{payloadPCMU, payloadPCMA, payloadEvent, payloadNone},
		[]payloadKind{a.receive[0], a.receive[8], a.receive[101], a.receive[96]}, "we receive by our own numbers")
	a, err = n.accept(describe("m=audio 4002 RTP/AVP 0"))
	require.NoError(t, err, "the 200 may say it again, or otherwise, after the 183")
	require.Equal(t, PCMU, a.codec)
}

func TestAcceptRefuses(t *testing.T) {
	n := testNegotiator("")
	_, err := n.accept(describe("m=audio 4000 RTP/AVP 8"))
	require.ErrorIs(t, err, ErrBadSDP, "nothing was offered")
	n.offer()
	for _, c := range []struct {
		want  error
		lines []string
	}{
		{ErrBadSDP, nil},
		{ErrBadSDP, []string{"m=audio 4000 RTP/AVP 8", "m=audio 4002 RTP/AVP 8"}},
		{ErrNotAcceptable, []string{"m=audio 0 RTP/AVP 8"}},
		{ErrNotAcceptable, []string{"m=audio 4000 RTP/AVP 18"}},
		{ErrNotAcceptable, []string{"m=audio 4000 RTP/SAVP 8"}},
		{ErrNotAcceptable, []string{"m=video 4000 RTP/AVP 8"}},
	} {
		_, err = n.accept(describe(c.lines...))
		require.ErrorIs(t, err, c.want, "%v", c.lines)
	}
	require.Nil(t, n.agreed)
}

func TestCodecStays(t *testing.T) {
	n := testNegotiator("")
	_, _, err := n.answer(describe("m=audio 4000 RTP/AVP 0"))
	require.NoError(t, err)
	_, a, err := n.answer(describe("m=audio 4000 RTP/AVP 8 0", "a=sendonly"))
	require.NoError(t, err)
	require.Equal(t, PCMU, a.codec, "a hold does not change the codec")
	_, a, err = n.answer(describe("m=audio 4000 RTP/AVP 8"))
	require.NoError(t, err)
	require.Equal(t, PCMA, a.codec, "unless it must")
	require.Equal(t, uint64(3), n.version)
}

// Our last description, offered again, is the same to the letter, and an answer to it means what it meant.
func TestOfferAgain(t *testing.T) {
	for _, c := range []struct {
		name          string
		offer, answer []string
		held          bool
		agreed        string
	}{
		{
			"as it was",
			[]string{"m=audio 4000 RTP/AVP 0 96", "a=rtpmap:96 telephone-event/8000"},
			[]string{"m=audio 4000 RTP/AVP 0 97", "a=rtpmap:97 telephone-event/8000"},
			false,
			"codec pcmu audio 0 event 97 to 192.0.2.7:4000 rtcp 192.0.2.7:4001 send true\n",
		},
		{
			"among other lines",
			[]string{"m=video 4010 RTP/AVP 99", "m=audio 4000 RTP/AVP 8"},
			[]string{"m=video 0 RTP/AVP 99", "m=audio 4002 RTP/AVP 8"},
			false,
			"codec pcma audio 8 event none to 192.0.2.7:4002 rtcp 192.0.2.7:4003 send true\n",
		},
		{
			"on hold by now",
			[]string{"m=audio 4000 RTP/AVP 8"},
			[]string{"m=audio 4000 RTP/AVP 8", "a=inactive"},
			true,
			"codec pcma audio 8 event none to 192.0.2.7:4000 rtcp 192.0.2.7:4001 send false\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := testNegotiator("")
			first, a, err := n.answer(describe(c.offer...))
			require.NoError(t, err)
			receive := a.receive
			_, err = n.accept(describe(c.answer...))
			require.ErrorIs(t, err, ErrBadSDP, "nothing was offered")
			offer := n.again()
			require.Equal(t, string(first), string(offer))
			a, err = n.accept(describe(c.answer...))
			require.NoError(t, err)
			require.Equal(t, c.agreed, a.outline())
			require.Equal(t, receive, a.receive, "we receive by the numbers we gave")
			offer = n.again()
			require.Equal(t, string(first), string(offer))
			_, err = n.accept(describe("m=audio 4000 RTP/AVP 18"))
			require.Error(t, err)
		})
	}
	n := testNegotiator("")
	offer := n.again()
	require.Contains(t, string(offer), "a=sendrecv", "nothing was described before")
	again := n.again()
	require.Equal(t, offer, again)
}

// Audio that was taken out of the session stays out when our description is offered again, and comes back
// when the far end wants it.
func TestAudioRemoved(t *testing.T) {
	n := testNegotiator("")
	_, _, err := n.answer(describe("m=audio 4000 RTP/AVP 0"))
	require.NoError(t, err)
	_, a, err := n.answer(describe("m=audio 0 RTP/AVP 0"))
	require.NoError(t, err)
	require.False(t, a.send)
	n.again()
	again, err := n.accept(describe("m=audio 0 RTP/AVP 0"))
	require.NoError(t, err)
	require.Equal(t, a, again)
	_, a, err = n.answer(describe("m=audio 4002 RTP/AVP 8 0"))
	require.NoError(t, err)
	require.Equal(t, "codec pcmu audio 0 event none to 192.0.2.7:4002 rtcp 192.0.2.7:4003 send true\n", a.outline())
}

func TestSDPBounds(t *testing.T) {
	_, err := parseSDP(describe("a=" + strings.Repeat("x", maxSDP)))
	require.ErrorIs(t, err, ErrBadSDP)
	lines := make([]string, maxMediaLines+1)
	for i := range lines {
		lines[i] = "m=audio 4000 RTP/AVP 8"
	}
	_, err = parseSDP(describe(lines...))
	require.ErrorIs(t, err, ErrBadSDP)
	_, err = parseSDP(describe("m=audio 4000 RTP/AVP" + strings.Repeat(" 8", maxFormats+1)))
	require.ErrorIs(t, err, ErrBadSDP)
	_, err = parseSDP(describe("m=audio 4000 RTP/AVP 8\x00"))
	require.ErrorIs(t, err, ErrBadSDP)
}

func TestIPv6(t *testing.T) {
	n := &negotiator{local: netip.MustParseAddrPort("[2001:db8::1]:20000"), codecs: []Codec{PCMA}}
	answer, a, err := n.answer(describe("m=audio 4000 RTP/AVP 8", "c=IN IP6 2001:db8::7"))
	require.NoError(t, err)
	require.Equal(t, netip.MustParseAddrPort("[2001:db8::7]:4000"), a.remote)
	require.Contains(t, string(answer), "c=IN IP6 2001:db8::1\r\n")
}

// seedSDP adds every offer of the case files.
func seedSDP(f *testing.F) {
	f.Helper()
	files, err := filepath.Glob("testdata/sdp/*.txtar")
	require.NoError(f, err)
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		require.NoError(f, err)
		for _, part := range archive.Files {
			if part.Name == "offer" {
				f.Add(bytes.ReplaceAll(part.Data, []byte("\n"), []byte("\r\n")))
			}
		}
	}
}

func checkAgreed(t *testing.T, a *agreement, err error) {
	t.Helper()
	if err != nil {
		if !errors.Is(err, ErrBadSDP) && !errors.Is(err, ErrNotAcceptable) {
			t.Fatalf("unclassified: %v", err)
		}
		return
	}
	if !a.remote.IsValid() || a.remote.Port() == 0 || a.receive[a.audio] == payloadEvent {
		t.Fatalf("%+v", a)
	}
}

func FuzzAnswer(f *testing.F) {
	seedSDP(f)
	f.Fuzz(func(t *testing.T, offer []byte) {
		n := testNegotiator("")
		answer, a, err := n.answer(offer)
		checkAgreed(t, a, err)
		if err != nil {
			return
		}
		offered, err := parseSDP(offer)
		require.NoError(t, err)
		answered, err := parseSDP(answer)
		require.NoError(t, err, "our own answer can be read")
		require.Len(t, answered.media, len(offered.media))
		open := 0
		for i := range answered.media {
			require.Equal(t, offered.media[i].kind, answered.media[i].kind)
			require.Equal(t, offered.media[i].proto, answered.media[i].proto)
			if answered.media[i].port != 0 {
				open++
			}
		}
		require.Equal(t, 1, open)
	})
}

func FuzzAccept(f *testing.F) {
	seedSDP(f)
	f.Fuzz(func(t *testing.T, answer []byte) {
		n := testNegotiator("")
		n.offer()
		a, err := n.accept(answer)
		checkAgreed(t, a, err)
	})
}
