package config

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"730d": 730 * day, "1d12h": 36 * time.Hour, "0d": 0, "90s": 90 * time.Second, "1h30m": 90 * time.Minute,
		"106751d": 106751 * day,
	} {
		d, err := parseDuration(text)
		require.NoError(t, err, text)
		require.Equal(t, want, d, text)
	}
	for _, text := range []string{
		"", "d", "5", "-1d", "1.5d", "1d-2h", "106752d", "106751d24h", "99999999999d", "1dd", "1h2d", "+1d", " 1d",
	} {
		_, err := parseDuration(text)
		require.Error(t, err, text)
	}
}

// What brief writes, parseDuration reads.
func TestBriefIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(40000*day/time.Second)).Draw(t, "seconds")) * time.Second
		got, err := parseDuration(brief(d))
		require.NoError(t, err)
		require.Equal(t, d, got)
	})
	require.Equal(t, []string{"0s", "5m", "1h", "1h30m", "24h", "2d"}, []string{
		brief(0), brief(5 * time.Minute), brief(time.Hour), brief(90 * time.Minute), brief(day), brief(2 * day),
	})
}

// distance is a distance, and no longer than one change more for each change made.
func TestDistance(t *testing.T) {
	word := rapid.StringOfN(rapid.RuneFrom([]rune("abc-")), 0, 8, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b := []rune(word.Draw(t, "a")), []rune(word.Draw(t, "b"))
		d := distance(a, b)
		require.Equal(t, d, distance(b, a))
		require.Equal(t, string(a) == string(b), d == 0)
		require.LessOrEqual(t, d, max(len(a), len(b)))
		require.GreaterOrEqual(t, d, max(len(a)-len(b), len(b)-len(a)))
		require.LessOrEqual(t, distance(append(a, 'x'), b), d+1)
	})
	for _, c := range []struct {
		a, b string
		want int
	}{{"ring", "rnig", 1}, {"consult", "cosnult", 1}, {"a", "", 1}, {"kitten", "sitting", 3}, {"燃气", "煤气", 1}} {
		require.Equal(t, c.want, distance([]rune(c.a), []rune(c.b)), c)
	}
}

// Whatever the buffers, the parser gets every byte, and the count is that of lines begun.
func TestLineReader(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`([a-z]{0,9}\n){0,9}[a-z]{0,9}`).Draw(t, "text")
		l := &lineReader{rest: []byte(text)}
		var r io.Reader = l
		if rapid.Bool().Draw(t, "one byte at a time") {
			r = iotest.OneByteReader(r)
		}
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.True(t, bytes.Equal([]byte(text), got))
		lines := strings.Count(text, "\n")
		if text != "" && !strings.HasSuffix(text, "\n") {
			lines++
		}
		require.Equal(t, lines, l.given)
	})
}

func TestClip(t *testing.T) {
	require.Equal(t, "a\uFFFDb", clip("a\nb"))
	require.Equal(t, "\uFFFD[31m", clip("\x1b[31m"))
	require.Equal(t, strings.Repeat("气", shown)+"…", clip(strings.Repeat("气", shown+1)))
	require.Equal(t, strings.Repeat("气", shown), clip(strings.Repeat("气", shown)))
}
