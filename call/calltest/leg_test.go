package calltest_test

import (
	"testing"

	"hotline/call"
	"hotline/call/calltest"
)

// The scripted leg does what the real one does.
func TestLegSuite(t *testing.T) {
	calltest.SuiteLeg(t, func(*testing.T) calltest.Rig {
		l := calltest.NewLeg("caller")
		return calltest.Rig{
			Leg:       l,
			FarHangup: func() { l.End(call.Far, call.CauseBye) },
			FarKey:    l.Stream().Press,
		}
	})
}
