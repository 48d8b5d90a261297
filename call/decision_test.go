package call_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestDecisionsAreBounded: a call keeps so many, then it counts; what one seat counted is counted on by the next.
func TestDecisionsAreBounded(t *testing.T) {
	some := func(from, n int) (list []call.Decision) {
		for i := range n {
			list = append(list, call.Decision{Rule: fmt.Sprint(from + i)})
		}
		return list
	}
	kept := call.AddDecisions(nil, some(0, call.MaxDecisions)...)
	require.Len(t, kept, call.MaxDecisions)
	require.Zero(t, kept[call.MaxDecisions-1].Later)
	kept = call.AddDecisions(kept, some(200, 5)...)
	require.Len(t, kept, call.MaxDecisions)
	require.Equal(t, 5, kept[call.MaxDecisions-1].Later)
	require.Equal(t, "199", kept[call.MaxDecisions-1].Rule)

	both := call.AddDecisions(some(0, 1), kept...)
	require.Len(t, both, call.MaxDecisions)
	require.Equal(t, 6, both[call.MaxDecisions-1].Later, "the one without room, and the five it had counted")
}
