package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Not ready until everything that serves runs, and from the first signal on; the one word for the pages and for SIP.
func TestReadyOnceStarted(t *testing.T) {
	t.Parallel()
	a := &app{}
	require.ErrorIs(t, a.ready(), errStarting)
	a.started.Store(true)
	require.NoError(t, a.ready())
	a.draining.Store(true)
	require.ErrorIs(t, a.ready(), errDraining)
}
