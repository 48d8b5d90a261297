package media

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write what came out into the cases")

// The table of offer and answer: each file of testdata/sdp is one session, told step by step.
//
//	local, prefer      what the stream is like, before the first step
//	they offer         we answer it
//	we offer           we offer; "we offer again" is the refresh that changes nothing
//	they answer        we take the answer to our offer
//	they refuse        our offer
//	we answer          what we wrote
//	agreed             what holds after the step
//	refused            "bad" (SIP 400), "not acceptable" (488) or "DTLS" (488 too) is what comes of the step instead
//
// A description that does not begin with v=0 has the usual head put before it. What they say is also said with bare
// line feeds, which is wrong and common; it must make no difference.
func TestSDP(t *testing.T) {
	files, err := filepath.Glob("testdata/sdp/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			for _, newline := range []string{"\r\n", "\n"} {
				play := sdpPlay{t: t, n: testNegotiator(), newline: newline}
				for i := range archive.Files {
					play.step(&archive.Files[i])
				}
				play.quiet()
			}
			if *update {
				require.NoError(t, os.WriteFile(file, txtar.Format(archive), 0o600))
			}
		})
	}
}

// sdpPlay goes through one session.
type sdpPlay struct {
	t       *testing.T
	n       *negotiator
	newline string

	wrote   string     // by us, in the last step
	last    string     // of our descriptions, that of a refused offer not counted
	stood   string     // when something was agreed on last
	agreed  *agreement // by it
	refused error      // what came of it, until that is asked for
}

func (p *sdpPlay) step(f *txtar.File) {
	text := strings.TrimSpace(string(f.Data))
	switch f.Name {
	case "local":
		p.n.local = netip.MustParseAddrPort(text)
	case "prefer":
		p.n.codecs = preferring(Codec(text), p.n.codecs)
	case "they offer":
		p.quiet()
		before := *p.n
		answer, a, err := p.n.answer(theirs(f.Data, p.newline))
		p.came(before, answer, a, err)
	case "they answer":
		p.quiet()
		before := *p.n
		a, err := p.n.accept(theirs(f.Data, p.newline))
		p.came(before, nil, a, err)
	case "we offer":
		p.quiet()
		p.came(*p.n, p.n.offer(), p.n.agreed, nil)
		p.same(f, p.wrote)
	case "we offer again":
		p.quiet()
		last, version := p.last, p.n.version
		p.came(*p.n, p.n.again(), p.n.agreed, nil)
		require.Equal(p.t, last, p.wrote, "to the letter")
		require.Equal(p.t, version, p.n.version)
	case "they refuse":
		p.last = p.stood
	case "we answer":
		p.same(f, p.wrote)
	case "agreed":
		require.NotNil(p.t, p.agreed, "%v", p.refused)
		p.same(f, p.agreed.outline())
	case "refused":
		p.same(f, refusal(p.refused)+"\n")
		p.refused = nil
	default:
		require.Fail(p.t, "no such step: "+f.Name)
	}
}

// came takes what came of a step. A refusal must leave everything as it was before.
func (p *sdpPlay) came(before negotiator, wrote []byte, a *agreement, err error) {
	p.t.Helper()
	p.wrote, p.agreed, p.refused = string(wrote), p.n.agreed, err
	if err != nil {
		require.Empty(p.t, wrote)
		require.Equal(p.t, before, *p.n)
		return
	}
	require.Equal(p.t, a, p.n.agreed)
	p.last = cmp.Or(p.wrote, p.last)
	if !p.n.offering || p.wrote == "" {
		p.stood = p.last
	}
}

// quiet fails if the last step was refused and the case did not say so.
func (p *sdpPlay) quiet() {
	p.t.Helper()
	require.NoError(p.t, p.refused)
}

// same compares what came out with a case, or writes it there.
func (p *sdpPlay) same(f *txtar.File, got string) {
	p.t.Helper()
	if f.Name != "agreed" && f.Name != "refused" {
		got = outline(p.t, []byte(got))
	}
	if *update {
		f.Data = []byte(got)
		return
	}
	require.Equal(p.t, string(f.Data), got)
}

// theirs is a description of a case as it comes over the network.
func theirs(data []byte, newline string) []byte {
	text := string(data)
	if !strings.HasPrefix(text, "v=") && slices.Contains([]string{"m=", "c=", "a="}, text[:min(2, len(text))]) {
		text = usualHead + text
	}
	return []byte(strings.ReplaceAll(text, "\n", newline))
}

// usualHead is what stands before the first line of a short description.
const usualHead = "v=0\no=- 7 3 IN IP4 192.0.2.7\ns=-\nc=IN IP4 192.0.2.7\nt=0 0\n"

func refusal(err error) string {
	switch {
	case errors.Is(err, ErrBadSDP):
		return "bad"
	case errors.Is(err, ErrDTLS) && errors.Is(err, ErrNotAcceptable):
		return "DTLS"
	case errors.Is(err, ErrNotAcceptable):
		return "not acceptable"
	default:
		return fmt.Sprint(err)
	}
}

// outline is a description's lines from the second on, without those that never change: its version and its lines.
func outline(t *testing.T, b []byte) string {
	t.Helper()
	require.NoError(t, new(sdp.SessionDescription).UnmarshalString(pionWillRead(string(b))), "what we write is well-formed")
	text := strings.ReplaceAll(string(b), "\r\n", "\n")
	require.NotContains(t, text, "\r")
	rest, ours := strings.CutPrefix(text, "v=0\no=hotline 42 ")
	require.True(t, ours, text)
	origin, rest, _ := strings.Cut(rest, "\ns=-\n")
	version, _, _ := strings.Cut(origin, " ")
	return "version " + version + "\n" + strings.Replace(rest, "t=0 0\n", "", 1)
}

// pionWillRead renames what pion's reader does not know.
func pionWillRead(s string) string {
	return strings.NewReplacer("m=image 0 udptl", "m=video 0 UDP", "m=message 0 TCP/MSRP", "m=video 0 TCP").Replace(s)
}

func (a *agreement) outline() string {
	number := func(has bool, payload uint8) string {
		if !has {
			return "none"
		}
		return fmt.Sprint(payload)
	}
	var receive []string
	for payload, kind := range a.receive {
		if kind != payloadNone {
			receive = append(receive, fmt.Sprintf("%d %s", payload, writtenEncodings[kind]))
		}
	}
	return fmt.Sprintf("send %s %d event %s comfort %s packet %s\nto %s rtcp %s\nreceive %s\nthey listen %t, they speak %t\n",
		a.codec, a.audio, number(a.hasEvent, a.event), number(a.hasComfort, a.comfort), a.packet,
		a.remote, a.rtcp, strings.Join(receive, ", "), a.send, a.sends)
}
