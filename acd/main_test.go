package acd_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain has random schedules be the same each time, so that what is tested says the same of the same code. Where
// the seed is given (-rapid.seed, RAPID_SEED) it is that one, and in `make proof` (HOTLINE_PROOF is set) each run has
// others; rapid prints the seed of a schedule that fails.
func TestMain(m *testing.M) {
	flag.Parse()
	given := os.Getenv("RAPID_SEED") != "" || os.Getenv("HOTLINE_PROOF") != ""
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.seed" })
	if !given {
		if err := flag.Set("rapid.seed", "20260401"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	goleak.VerifyTestMain(m)
}
