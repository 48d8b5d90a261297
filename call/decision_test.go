package call_test

import (
	"fmt"
	"testing"
	"testing/synctest"

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

// TestDecisionsOfTwoStays: the record has the decisions of every stay in order, each once however often the stay
// was written down meanwhile, and within the bound.
func TestDecisionsOfTwoStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.play(`
0s dial menu main
3s key 2
4s decide 199 first
4s ring 8002
5s answer 8002
20s agent 8002 transport
21s decide 2 second
22s ring 8003
25s answer 8003
60s agent 8003 bye
`)
		kept := s.records.finished(t).Decisions
		require.Len(t, kept, call.MaxDecisions)
		require.Equal(t, "first", kept[198].Rule)
		require.Equal(t, "second", kept[199].Rule)
		require.Equal(t, 1, kept[199].Later)
	})
}
