package media

import (
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

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

func describe(lines ...string) []byte {
	all := append([]string{"v=0", "o=- 7 3 IN IP4 192.0.2.7", "s=-", "c=IN IP4 192.0.2.7", "t=0 0"}, lines...)
	return []byte(strings.Join(all, "\r\n") + "\r\n")
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

// seedSDP adds every offer of the case files.
func seedSDP(f *testing.F) {
	f.Helper()
	files, err := filepath.Glob("testdata/sdp/*.txtar")
	require.NoError(f, err)
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		require.NoError(f, err)
		for _, part := range archive.Files {
			if strings.HasPrefix(part.Name, "they ") {
				f.Add(theirs(part.Data, "\r\n"))
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
