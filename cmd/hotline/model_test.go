package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestModel: a quick size of the table; scripts/proof.sh has the full one.
func TestModel(t *testing.T) {
	t.Parallel()
	code, out, errs := command(t, "model", "--agents", "10", "--loads", "0.5,0.9", "--calls", "3000", "--most", "3000")
	require.Equal(t, exitOK, code, errs+out)
	require.Contains(t, out, "14 of 14 figures within 3 standard errors")
	require.Contains(t, out, "seed 1.")
	code, out, errs = command(t, "model", "--agents", "10", "--loads", "0.9", "--calls", "1000", "--most", "1000", "--seed", "0", "--strategy", "ring-all")
	require.NotEqual(t, exitUsage, code, errs)
	require.NotContains(t, out, "seed 0.")
}

func TestModelRefusesNonsense(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--loads", "1"}, {"--agents", "0"}, {"--aht", "0s"}, {"--calls", "3"}, {"--strategy", "best"}} {
		code, _, errs := command(t, append([]string{"model"}, args...)...)
		require.Equal(t, exitFault, code, args)
		require.NotEmpty(t, errs)
	}
}
