//go:build proof

package claims

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestClaimsInFull goes further than make test does. The figures go to the file HOTLINE_PROOF, if set.
func TestClaimsInFull(t *testing.T) {
	var lines []string
	add := func(name string, e *env, limit int) { lines = append(lines, explore(t, name, e, limit)) }
	for _, k := range every {
		strict := k == delayInvite || k == doubleInvite
		one := size{agents: 1, claims: both, budget: budget{moves: 1, faults: 1}}
		add(nameOf(k)+"; a phone that moves", &env{brisk: true, strict: strict, faults: []kind{k}, size: one}, 1<<30)
		one.budget.restarts = 1
		add(nameOf(k)+"; every step by itself", &env{strict: strict, faults: []kind{k}, size: one}, 300_000)
		one.agents, one.budget.restarts = 2, 0
		add(nameOf(k)+"; two agents", &env{brisk: true, strict: strict, faults: []kind{k}, size: one}, 200_000)
	}
	// Without the book, and cut off from the node that had the phone before, an edge rings it after 8 s all the same, and says
	// so: what follows is not judged.
	add("any two faults", &env{brisk: true, doubts: true, faults: every, size: size{agents: 1, claims: both, budget: budget{faults: 2, moves: 1}}}, 2_000_000)
	table := strings.Join(lines, "\n") + "\nEvery rule held.\n"
	if path := os.Getenv("HOTLINE_PROOF"); path != "" {
		require.NoError(t, os.WriteFile(path, []byte("```\n"+table+"```\n"), 0o600))
	}
}
