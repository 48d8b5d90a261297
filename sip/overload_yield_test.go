package sip

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Whatever it is that keeps out who may have an alarm, nobody comes in beside them who cannot have one: not when a place is free
// again the next instant either.
func TestOverloadYields(t *testing.T) {
	t.Parallel()
	now := time.Time{}.Add(time.Hour)
	for name, turned := range map[string]func(c *overload){
		"waited": func(c *overload) { require.NotEqual(t, admitted, c.admit(classMenu, 2*usual.Lag, now)) },
		"at once": func(c *overload) {
			for !c.turns(classMenu, 2*usual.Lag, now) {
				c.admit(classMenu, 2*usual.Lag, now)
			}
		},
		"crowd": func(c *overload) {
			c.crowd.most = 0
			require.NotEqual(t, admitted, c.admit(classMenu, 0, now))
		},
	} {
		c := boundLoad()
		c.crowd.most = math.Inf(1)
		require.Equal(t, admitted, c.admit(classRest, 0, now), name)
		turned(c)
		c.crowd.most = math.Inf(1)
		require.Equal(t, admitNot, c.admit(classRest, 0, now), name)
		require.True(t, c.turns(classRest, 0, now), name)
		require.Equal(t, admitted, c.admit(classMenu, 0, now), name)
		require.Equal(t, admitted, c.admit(classAgent, 0, now), name)
		for range yieldRow {
			require.True(t, c.turns(classRest, 0, now), name)
			c.tick(measures{took: overloadEvery, cpu: 0.6, live: 1000})
			c.crowd.most = math.Inf(1)
		}
		require.Equal(t, admitted, c.admit(classRest, 0, now), name)
	}
}
