package matrix

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"

	"hotline/internal/testkit"
)

// atOnce is how many cells run at once. They wait, mostly; the hotline's ports for RTP are enough for 47
// calls.
const atOnce = 24

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(atOnce)); err != nil {
		fmt.Fprintln(os.Stderr, "set how many cells run at once:", err)
		os.Exit(1)
	}
	testkit.Main(m)
}
