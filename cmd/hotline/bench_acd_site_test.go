package main

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"hotline/internal/testkit"
)

// TestBenchACDState: a small round on a Redis of its own, and on one that it is told of; every line is there, no phone in
// talk was rung, and nothing is left running, nor in the Redis for ever.
func TestBenchACDState(t *testing.T) {
	testkit.Require(t, "redis-server")
	theirs := testkit.StartRedis(t, testkit.RedisUsers())
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, state := range []string{"redis", theirs.URL()} {
		var out bytes.Buffer
		code := run([]string{"bench", "acd", "--state", state, "--agents", "8", "--waiting", "20", "--nodes", "1,2", "--for", "300ms"}, &console{out: &out, err: &out})
		late := strings.Contains(out.String(), "offers/s: not kept.") // on a machine that does much else
		require.Equal(t, late, code == exitFault, out.String())
		require.Equal(t, late, strings.Contains(out.String(), errSite.Error()))
		for _, line := range []string{"\n0      200/s", "\n0      most", "\n1      200/s", "\n1      most", "\n2      200/s", "\n2      most", "Rings at a phone in talk: 0."} {
			require.Contains(t, out.String(), line)
		}
		require.NotContains(t, out.String(), testkit.RedisPassword)
		for line := range strings.Lines(out.String()) {
			if strings.HasPrefix(line, "1  ") || strings.HasPrefix(line, "2  ") {
				require.NotEqual(t, "-", strings.Fields(line)[5], "Redis' CPU is known: %s", line)
			}
		}
	}
}

// TestBenchACDVerdict: what is wanted and was not kept is the command's failure.
func TestBenchACDVerdict(t *testing.T) {
	require.NoError(t, siteVerdict(true, 0))
	require.ErrorIs(t, siteVerdict(false, 0), errSite)
	require.ErrorContains(t, siteVerdict(true, 2), "2 rings at a phone in talk")
}

func TestBenchACDStateRefusesNonsense(t *testing.T) {
	for _, args := range [][]string{{"--state", "redis", "--nodes", "0"}, {"--state", "redis", "--for", "0s"}, {"--state", "nowhere"}} {
		var errs bytes.Buffer
		code := run(append([]string{"bench", "acd"}, args...), &console{out: &errs, err: &errs})
		require.Equal(t, exitFault, code, args)
		require.Regexp(t, "above 0|neither redis nor the URL", errs.String())
	}
}

// TestRedisAnswers: what a server says is read as it is meant, and no more.
func TestRedisAnswers(t *testing.T) {
	for said, want := range map[string]string{"+PONG\r\n": "PONG", "$5\r\na\r\nbc\r\n": "a\r\nbc", "$0\r\n\r\n": ""} {
		var out strings.Builder
		got, err := redisDo(&out, bufio.NewReader(strings.NewReader(said)), "INFO", "cpu")
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, "*2\r\n$4\r\nINFO\r\n$3\r\ncpu\r\n", out.String())
	}
	for _, said := range []string{"", "\r\n", "-ERR no\r\n", "$9\r\nshort\r\n", "$-1\r\n", "$99999999\r\n", "*1\r\n", "$x\r\n"} {
		_, err := redisDo(&strings.Builder{}, bufio.NewReader(strings.NewReader(said)), "PING")
		require.Error(t, err, said)
	}
}
