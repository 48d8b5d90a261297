package claims

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// every fault there is.
var every = []kind{
	crash, sleep, cutBook, cutPeers, loseInvite, loseForward, delayInvite, doubleInvite, loseGrant, lateQuery, bookGone, bookEmpty, bookForgets,
}

// both callers, one at each node, may cause one claim each.
var both = [callers]uint8{1, 1}

// explore goes through a world of which all is wanted, or as much as the limit allows, and returns a line of a table.
func explore(t *testing.T, name string, e *env, limit int) string {
	t.Helper()
	s := newSearch(e, limit)
	begun := time.Now()
	schedule, broken := s.run()
	if broken != "" {
		t.Fatal("\n" + s.tell(schedule, broken))
	}
	for _, k := range e.faults {
		require.NotZero(t, s.happened[k], "%s never happened", words[k])
	}
	all := "all"
	if !s.full {
		all = fmt.Sprintf("the nearest %d", limit)
	}
	total := 0
	for _, n := range s.happened {
		total += n
	}
	line := fmt.Sprintf("%-58s %9d worlds (%s), %9d steps, %6.1f s", name, len(s.came), all, total, time.Since(begun).Seconds())
	if s.doubted > 0 {
		line += fmt.Sprintf("; %d ended in doubt", s.doubted)
	}
	t.Log(line)
	return line
}

// TestNoFault: two nodes, two callers, two agents, and phones that move; nothing fails.
func TestNoFault(t *testing.T) {
	t.Parallel()
	explore(t, "no fault, two agents", &env{brisk: true, size: size{agents: 2, claims: both}}, 1<<30)
	explore(t, "no fault, a phone that moves, every step by itself", &env{size: size{agents: 1, claims: both, budget: budget{moves: 1}}}, 1<<30)
}

// TestAnyOneFault: nothing goes wrong with any one fault, whenever it happens.
func TestAnyOneFault(t *testing.T) {
	for _, k := range every {
		t.Run(nameOf(k), func(t *testing.T) {
			t.Parallel()
			e := &env{
				brisk: true, faults: []kind{k}, strict: k == delayInvite || k == doubleInvite,
				size: size{agents: 1, claims: both, budget: budget{moves: 1, faults: 1}},
			}
			if slices.Contains([]kind{sleep, cutBook, bookGone, bookEmpty}, k) { // with a phone that moves, in the proof
				e.size.budget.moves = 0
			}
			explore(t, nameOf(k), e, 1<<30)
		})
	}
}

// nameOf is a fault without whom it hits.
func nameOf(k kind) string {
	return strings.NewReplacer("FAULT ", "", " %n's", "", " %n", "", "%l: ", "", " of agent %a", "").Replace(words[k])
}
