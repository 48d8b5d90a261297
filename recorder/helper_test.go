package recorder

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"hotline/media"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		victim(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// start makes a recorder in a folder of its own, closed at the test's end.
func start(tb testing.TB, o Options) *Recorder {
	tb.Helper()
	if o.Dir == "" {
		o.Dir = tb.TempDir()
	}
	r, err := New(o)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = r.Close() }) // what a test expects of Close it asks itself
	return r
}

func begin(tb testing.TB, r *Recorder, id string, joined time.Time) *recording {
	tb.Helper()
	c, err := r.Start(id, joined)
	require.NoError(tb, err)
	return c.(*recording)
}

// counted is how many recordings came to an outcome.
func counted(r *Recorder, outcome string) int {
	return int(testutil.ToFloat64(r.metrics.outcomes.WithLabelValues(outcome)))
}

// stereo is a recording as a reader finds it.
type stereo struct{ left, right []byte }

// listen reads a recording with a parser that shares nothing with the writer: it walks the chunks.
func listen(tb testing.TB, r *Recorder, name string) stereo {
	tb.Helper()
	f, _, size, err := r.Open(name)
	require.NoError(tb, err)
	b, err := io.ReadAll(f)
	require.NoError(tb, err)
	require.NoError(tb, f.Close())
	require.Len(tb, b, int(size))
	return parse(tb, b)
}

func listenFile(t require.TestingT, dir, name string) stereo {
	b, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return parse(t, b)
}

func parse(t require.TestingT, b []byte) stereo {
	u16 := func(at int) int { return int(binary.LittleEndian.Uint16(b[at:])) }
	u32 := func(at int) int { return int(binary.LittleEndian.Uint32(b[at:])) }
	require.Equal(t, "RIFF", string(b[:4]))
	require.Equal(t, "WAVE", string(b[8:12]))
	require.LessOrEqual(t, u32(4)+8, len(b), "the RIFF chunk ends within the file")
	fact := -1
	for at := 12; at+8 <= u32(4)+8; at += 8 + u32(at+4) {
		switch string(b[at : at+4]) {
		case "fmt ":
			require.Equal(t, []int{6, 2, 8000, 16000, 2, 8},
				[]int{u16(at + 8), u16(at + 10), u32(at + 12), u32(at + 16), u16(at + 20), u16(at + 22)})
		case "fact":
			fact = u32(at + 8)
		case "data":
			data := b[at+8 : at+8+u32(at+4)]
			require.Len(t, data, 2*fact, "fact chunk")
			var s stereo
			for ; len(data) > 0; data = data[2:] {
				s.left, s.right = append(s.left, data[0]), append(s.right, data[1])
			}
			return s
		}
	}
	require.Fail(t, "no data chunk")
	return stereo{}
}

// runs writes one channel as runs of equal samples: "a160 _160" is a packet of 'a', then silence.
func runs(channel []byte) string {
	var out []string
	for len(channel) > 0 {
		n := len(channel) - len(bytes.TrimLeft(channel, string(rune(channel[0]))))
		if channel[0] == silence { // no valid rune of one byte
			n = 1
			for n < len(channel) && channel[n] == silence {
				n++
			}
			out = append(out, fmt.Sprintf("_%d", n))
		} else {
			out = append(out, fmt.Sprintf("%c%d", channel[0], n))
		}
		channel = channel[n:]
	}
	return strings.Join(out, " ")
}

// say is a packet of n samples of one letter.
func say(side media.Side, at time.Time, ssrc uint32, seq uint16, ts uint32, letter byte, n int) media.Frame {
	return media.Frame{
		Side: side, At: at, SSRC: ssrc, Sequence: seq, Timestamp: ts,
		ALaw: bytes.Repeat([]byte{letter}, n),
	}
}
