//go:build unix

package call_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// A caller who writes numbers over numbers costs no more than what is written: sixteen times for sixteen times as many
// messages. Each number was once looked for in each message, for minutes: that is 256 times. What is compared is time on
// the processor, to which it is nothing that others want it too.
func TestMaskLadderCost(t *testing.T) { //nolint:paralleltest // it takes the process's time
	cost := func(messages int) time.Duration {
		number := 10_000_000
		ladder := make([]call.SIPMessage, messages)
		for i := range ladder {
			var head strings.Builder
			for head.Len() < 1000 {
				number += 7919
				fmt.Fprintf(&head, "<sip:%d@h>", number)
			}
			ladder[i] = call.SIPMessage{Party: "13900001234", Head: head.String()}
		}
		least := time.Hour
		for range 3 {
			began := processorTime(t)
			call.MaskLadder(ladder)
			least = min(least, processorTime(t)-began)
		}
		return least
	}
	require.Less(t, cost(48), 64*cost(3))
}

// processorTime is what this process has had of the processor, for itself and in the kernel.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
