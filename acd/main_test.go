package acd_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain has random schedules be few, and the same each time, so that what is tested says the same of the same code.
// Flags or variables (-rapid.seed, RAPID_SEED, and so for checks) go before that, and in `make proof` (HOTLINE_PROOF is
// set) each run has others; rapid prints the seed of a schedule that fails.
func TestMain(m *testing.M) {
	flag.Parse()
	given := map[string]bool{
		"rapid.seed": os.Getenv("RAPID_SEED") != "", "rapid.checks": os.Getenv("RAPID_CHECKS") != "",
	}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range map[string]string{"rapid.seed": "20260401", "rapid.checks": "30"} {
		if given[name] || os.Getenv("HOTLINE_PROOF") != "" {
			continue
		}
		if err := flag.Set(name, value); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	goleak.VerifyTestMain(m)
}
