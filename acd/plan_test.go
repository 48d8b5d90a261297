package acd

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPlan: to the nanosecond, how many phones may ring by the promise clock, at three rings of 5 s.
func TestPlan(t *testing.T) {
	o := Options{Rings: 3, Ring: Ring{On: time.Second, Off: 4 * time.Second}}
	const s = time.Second
	for name, tc := range map[string]struct {
		strategy string
		rings    int
		progress time.Duration
		want     map[time.Duration]int
		at       []time.Duration // the instants at which it becomes more
	}{
		"single": {
			strategy: LongestIdle, rings: 3,
			want: map[time.Duration]int{-1: 1, 0: 1, 10*s - 1: 1, 10 * s: 2, 15*s - 1: 2, 15 * s: 3, 60 * s: 12},
			at:   []time.Duration{10 * s, 15 * s, 20 * s},
		},
		"one ring promised": {
			strategy: LongestIdle, rings: 1,
			want: map[time.Duration]int{-1: 1, 0: 2, 5*s - 1: 2, 5 * s: 3},
			at:   []time.Duration{0, 5 * s, 10 * s},
		},
		"progressively": {
			strategy: RingProgressively, rings: 3, progress: 4 * s,
			want: map[time.Duration]int{-1: 1, 4*s - 1: 1, 4 * s: 2, 8 * s: 3, 10 * s: 3, 12 * s: 4, 15 * s: 4},
			at:   []time.Duration{4 * s, 8 * s, 12 * s, 16 * s},
		},
		"progressively, and slower than the promise": {
			strategy: RingProgressively, rings: 3, progress: 30 * s,
			want: map[time.Duration]int{0: 1, 10 * s: 2, 15 * s: 3, 30 * s: 6},
			at:   []time.Duration{10 * s, 15 * s, 20 * s, 25 * s, 30 * s},
		},
		"all": {
			strategy: RingAll, rings: 3,
			want: map[time.Duration]int{-1: everyone, 0: everyone, 100 * s: everyone},
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := o
			o.Rings = tc.rings
			p := strategies[tc.strategy].plan(&o, &Queue{Progress: tc.progress})
			for since, want := range tc.want {
				require.Equal(t, want, p.phones(since), since)
			}
			since := time.Duration(-1)
			for _, want := range tc.at {
				next, ok := p.next(since)
				require.True(t, ok)
				require.Equal(t, want, next)
				since = next
			}
			if _, ok := p.next(since); len(tc.at) == 0 {
				require.False(t, ok)
			}
		})
	}
}
