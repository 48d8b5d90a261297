package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestBenchACD: a small round; every size has its line, and nothing is left running.
func TestBenchACD(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	var out bytes.Buffer
	code := run([]string{"bench", "acd", "--agents", "3,20", "--waiting", "5,50", "--rounds", "30"}, &console{out: &out, err: &out})
	require.Equal(t, exitOK, code, out.String())
	for _, line := range []string{"\n3       5 ", "\n3       50 ", "\n20      5 ", "\n20      50 ", "p50 grows", "Wanted: p99"} {
		require.Contains(t, out.String(), line)
	}
	f, err := measureDesk(4, 6, 25)
	require.NoError(t, err)
	require.Len(t, f.free, 25)
	require.Len(t, f.digit, 25)
	for _, d := range append(f.free, f.digit...) {
		require.Positive(t, d)
	}
}

func TestBenchACDRefusesNonsense(t *testing.T) {
	for _, args := range [][]string{{"--rounds", "0"}, {"--agents", "0"}, {"--waiting", "10,0"}} {
		var errs bytes.Buffer
		code := run(append([]string{"bench", "acd"}, args...), &console{out: &errs, err: &errs})
		require.Equal(t, exitFault, code, args)
		require.Contains(t, errs.String(), "above 0")
	}
}

// TestScanFindsTheLeast: what the desk is held against does find it.
func TestScanFindsTheLeast(t *testing.T) {
	s := newScan(100, 1000)
	c := s.callers[s.firstCaller()]
	require.Equal(t, scanned{0, 0, 0}, c)
	require.Equal(t, -8, s.agents[s.firstAgent()].first, "the highest level")
	require.Equal(t, 3*time.Second, quantile([]time.Duration{3 * time.Second, time.Second, 5 * time.Second}, 0.5))
}
