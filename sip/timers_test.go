package sip

import (
	"testing"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/require"
)

// TestTimersAreRFC3261s: what a program gets that sets the default, or nothing at all (RFC 3261 table 4).
// What SetT1 does with another value is for a process of its own: the loss matrix.
func TestTimersAreRFC3261s(t *testing.T) {
	SetT1(defaultT1)
	require.Equal(t, 500*time.Millisecond, sipmsg.T1)
	require.Equal(t, 4*time.Second, sipmsg.T2)
	require.Equal(t, 5*time.Second, sipmsg.T4)
	require.Equal(t, sipmsg.T2, resendMost*defaultT1)
	require.Equal(t, sipmsg.T4, lastMost*defaultT1)
	require.Equal(t, 64*defaultT1, sipmsg.Timer_B)
}
