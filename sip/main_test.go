package sip

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"hotline/internal/testkit"
)

// testsPerCore is how many tests run at once for each core: they wait for the wire's timers, and use a tenth of one.
const testsPerCore = 4

func TestMain(m *testing.M) {
	if err := testkit.Parallel(testsPerCore); err != nil {
		fmt.Fprintln(os.Stderr, "set how many tests run at once:", err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}
