package main

import (
	"runtime/debug"
	"runtime/metrics"
	"testing"

	"github.com/stretchr/testify/require"
)

// A server that makes much garbage collects it seldom, at once; one that makes little has no more memory than that asks for, after
// a while.
func TestGrowth(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	g := growth{percent: growsMost}
	at := heap{allocated: 1000 * mib, live: 20 * mib}
	looks := func(perSecond uint64, n int) (percent int) {
		for range n {
			at.allocated += 2 * perSecond * mib
			percent, _ = g.look(at)
		}
		return percent
	}
	require.Equal(t, 360, looks(0, 1), "what was before is not known")
	require.Equal(t, growsLeast, looks(1, 20))
	require.Equal(t, growsMost, looks(100, 1))
	require.Equal(t, growsMost, looks(100, 10))
	require.Equal(t, 360, looks(1, 1))
	require.Equal(t, 250, looks(10, 20), "as much as is made in five seconds")
	_, changed := g.look(heap{at.allocated + 20*mib, at.live})
	require.False(t, changed)
}

// The environment has the last word, and who is to stop does.
func TestCollectByNeed(t *testing.T) { //nolint:paralleltest // it changes the process's collector and environment
	was := debug.SetGCPercent(100)
	defer debug.SetGCPercent(was)
	percent := func() uint64 {
		s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	t.Setenv("GOGC", "123")
	collectByNeed()()
	require.EqualValues(t, 100, percent())
	t.Setenv("GOGC", "")
	stop := collectByNeed()
	require.EqualValues(t, growsMost, percent())
	stop()
	require.Positive(t, heapNow().live+heapNow().allocated)
}
