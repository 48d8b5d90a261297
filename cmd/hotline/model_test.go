package main

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// TestModel: a quick size of the table; scripts/proof.sh has the full one.
func TestModel(t *testing.T) {
	t.Parallel()
	code, out, errs := command(t, "model", "--agents", "10", "--loads", "0.5,0.9", "--calls", "3000", "--most", "3000")
	require.Equal(t, exitOK, code, errs+out)
	require.Contains(t, out, "14 of 14 figures within 3 standard errors")
	require.Contains(t, out, "seed 1.")
	for line := range strings.Lines(out) {
		require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), 100, line)
	}
	code, out, errs = command(t, "model", "--agents", "10", "--loads", "0.9", "--calls", "1000", "--most", "1000", "--seed", "0", "--strategy", "ring-all")
	require.NotEqual(t, exitUsage, code, errs)
	require.NotContains(t, out, "seed 0.")
}

// TestModelOfFewCalls: a handful of calls that is far from the formula is no fault of the desk's, and is not said to be.
func TestModelOfFewCalls(t *testing.T) {
	t.Parallel()
	code, out, errs := command(t, "model", "--agents", "10", "--loads", "0.9", "--calls", "40", "--most", "40")
	require.Equal(t, exitOK, code, errs+out)
	require.Contains(t, out, "!", "a figure is far off")
	require.NotContains(t, out, "FAILS")
	require.Regexp(t, `(?m) open$`, out)
	require.Contains(t, out, "too few calls were measured to tell")
}

// TestModelFigures: a column is as wide as it is said to be, whatever is in it.
func TestModelFigures(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{
		0: "0.000", 0.0004: "0.000", 9.9994: "9.999", 9.9996: "10.00", 99.994: "99.99", 99.996: "100.0", 100: "100.0",
		999.94: "999.9", 999.96: "1000", 12345: "12345",
	} {
		require.Equal(t, want, five(v))
	}
	for v, want := range map[float64]string{0: "0.0", 3.04: "3.0", 9.94: "9.9", 9.96: "10", 1e9: "999", math.Inf(1): "999"} {
		require.Equal(t, want, three(v))
	}
	for n, want := range map[int]string{0: "0", 99_999: "99999", 100_000: "100k", 4_206_693: "4207k", 20_000_000: "20000k"} {
		require.Equal(t, want, thousands(n))
	}
}

func TestModelRefusesNonsense(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--loads", "1"}, {"--agents", "0"}, {"--aht", "0s"}, {"--calls", "3"}, {"--strategy", "best"}} {
		code, _, errs := command(t, append([]string{"model"}, args...)...)
		require.Equal(t, exitFault, code, args)
		require.NotEmpty(t, errs)
	}
}
