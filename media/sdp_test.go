package media

import (
	"bytes"
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
)

func testNegotiator() *negotiator {
	return &negotiator{
		local:   netip.MustParseAddrPort("198.51.100.1:20000"),
		codecs:  []Codec{PCMA, PCMU},
		session: 42,
	}
}

func describe(lines ...string) []byte {
	all := append([]string{"v=0", "o=- 7 3 IN IP4 192.0.2.7", "s=-", "c=IN IP4 192.0.2.7", "t=0 0"}, lines...)
	return []byte(strings.Join(all, "\r\n") + "\r\n")
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

// seedSDP adds every description of the case files, and every case as a session.
func seedSDP(f *testing.F, session bool) {
	f.Helper()
	files, err := filepath.Glob("testdata/sdp/*.txtar")
	require.NoError(f, err)
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		require.NoError(f, err)
		var steps []byte
		for _, part := range archive.Files {
			act, known := fuzzActs[part.Name]
			if !known {
				continue
			}
			said := theirs(part.Data, "\r\n")
			if !session && strings.HasPrefix(part.Name, "they ") {
				f.Add(said)
			}
			steps = append(append(append(steps, act), said...), 0)
		}
		if session {
			f.Add(steps)
		}
	}
}

var fuzzActs = map[string]byte{"they offer": 'o', "they answer": 'a', "we offer": 'O', "we offer again": 'A'}

func checkAgreed(t *testing.T, a *agreement, err error) {
	t.Helper()
	if err != nil {
		if !errors.Is(err, ErrBadSDP) && !errors.Is(err, ErrNotAcceptable) {
			t.Fatalf("unclassified: %v", err)
		}
		return
	}
	if !a.remote.IsValid() || a.remote.Port() == 0 || a.receive[a.audio] == payloadEvent ||
		a.packet < leastPacket || a.packet > mostPacket || a.packet%leastPacket != 0 {
		t.Fatalf("%+v", a)
	}
}

// checkWritten reads what we wrote, and returns its lines: at most one is open.
func checkWritten(t *testing.T, b []byte) []mediaLine {
	t.Helper()
	d, err := parseSDP(b)
	require.NoError(t, err, "our own description can be read")
	open := 0
	for i := range d.media {
		if d.media[i].port != 0 {
			open++
			require.NotEmpty(t, d.media[i].known())
		}
	}
	require.LessOrEqual(t, open, 1)
	return d.media
}

func requireSamePlaces(t *testing.T, before, after []mediaLine) {
	t.Helper()
	require.Len(t, after, len(before))
	for i := range before {
		require.Equal(t, before[i].kind, after[i].kind)
		require.Equal(t, before[i].proto, after[i].proto)
	}
}

// FuzzAnswer: whatever is offered, our answer has its lines in their places, one of them open, and whoever can read the
// offer can read the answer.
func FuzzAnswer(f *testing.F) {
	seedSDP(f, false)
	f.Fuzz(func(t *testing.T, offer []byte) {
		n := testNegotiator()
		answer, a, err := n.answer(offer)
		checkAgreed(t, a, err)
		if err != nil {
			return
		}
		offered, err := parseSDP(offer)
		require.NoError(t, err)
		requireSamePlaces(t, offered.media, checkWritten(t, answer))
		if new(sdp.SessionDescription).Unmarshal(offer) == nil {
			require.NoError(t, new(sdp.SessionDescription).Unmarshal(answer), "%q", answer)
		}
	})
}

func FuzzAccept(f *testing.F) {
	seedSDP(f, false)
	f.Fuzz(func(t *testing.T, answer []byte) {
		n := testNegotiator()
		n.offer()
		a, err := n.accept(answer)
		checkAgreed(t, a, err)
	})
}

// FuzzSession: through any offers and answers, lines keep their places in what we offer, and our version never falls.
func FuzzSession(f *testing.F) {
	seedSDP(f, true)
	f.Fuzz(func(t *testing.T, steps []byte) {
		n := testNegotiator()
		for step := range bytes.SplitSeq(steps, []byte{0}) {
			if len(step) == 0 {
				continue
			}
			before := *n
			switch step[0] {
			case 'o':
				_, a, err := n.answer(step[1:])
				checkAgreed(t, a, err)
			case 'a':
				a, err := n.accept(step[1:])
				checkAgreed(t, a, err)
			case 'O', 'A':
				offer := n.offer
				if step[0] == 'A' {
					offer = n.again
				}
				after := checkWritten(t, offer())
				if before.ours.body != nil {
					requireSamePlaces(t, checkWritten(t, before.ours.body), after)
				}
			}
			require.GreaterOrEqual(t, n.version, before.version)
		}
	})
}
