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
	require.EqualValues(t, resendMost, sipmsg.T2/defaultT1)
	require.EqualValues(t, lastMost, sipmsg.T4/defaultT1)
	require.Equal(t, 64*defaultT1, sipmsg.Timer_B)
}
