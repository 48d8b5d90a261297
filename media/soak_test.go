package media_test

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
	"hotline/media"
	"hotline/media/mediatest"
)

const (
	// soakAtOnce is how many calls are on each engine at a time, and soakRest how long a port rests: the range holds few
	// enough that all are used again and again.
	soakAtOnce = 6
	soakRest   = 300 * time.Millisecond
	soakPairs  = 40
	// soakMargin is how many octets the heap may have more at the end: a stream is ten thousand.
	soakMargin = 1 << 20
)

// held is what the process holds: goroutines, descriptors, and octets in use on the heap.
type held struct {
	goroutines, descriptors int
	heap                    uint64
}

// look is what the process holds when it is at rest: goroutines and descriptors of a socket that was closed end by
// themselves. It looks until there are no more of them than a limit has; without one, for a while, for the least.
func look(t *testing.T, limit *held) (least held) {
	t.Helper()
	length, over := testkit.Patience, func(h held) bool {
		return h.goroutines <= limit.goroutines && h.descriptors <= limit.descriptors
	}
	if limit == nil {
		length, over = time.Second, func(held) bool { return false }
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	least = held{goroutines: math.MaxInt, descriptors: math.MaxInt}
	for deadline := time.Now().Add(length); !over(least) && time.Now().Before(deadline); <-tick.C {
		list, err := os.ReadDir("/dev/fd")
		require.NoError(t, err)
		least.goroutines, least.descriptors = min(least.goroutines, runtime.NumGoroutine()), min(least.descriptors, len(list))
	}
	runtime.GC()
	runtime.GC() // what finalizers and pools held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	least.heap = m.HeapAlloc
	return least
}

// TestSoak: on both engines, side by side, calls of every kind come and go. At the end the process holds the goroutines,
// descriptors and memory that it did after the first of them, and the engines hold no line, port or anything else of a call.
func TestSoak(t *testing.T) {
	var all []media.Engine
	var soaked []*mediatest.Soaker
	lo := uint16(testkit.FreePorts(t, 2*2*soakPairs)) //nolint:gosec // a port
	for _, newEngine := range engines {
		e, err := newEngine(media.Options{
			Address: netip.MustParseAddr("127.0.0.1"), Ports: media.PortRange{Lo: lo, Hi: lo + 2*soakPairs - 1},
			Rest: soakRest, Timeout: mediatest.SoakTimeout,
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, e.Close()) })
		all, soaked, lo = append(all, e), append(soaked, mediatest.NewSoaker(e, soakRest)), lo+2*soakPairs
	}
	run := func(length time.Duration) {
		ctx, cancel := context.WithTimeout(t.Context(), length)
		defer cancel()
		var both sync.WaitGroup
		for _, k := range soaked {
			both.Go(func() { k.Run(ctx, t, soakAtOnce) })
		}
		both.Wait()
	}
	run(0) // each kind once, which makes what is made once and kept
	before := look(t, nil)
	run(soakFor)
	after := look(t, &before)
	publish(t, soaked, before, after)
	require.LessOrEqual(t, after.goroutines, before.goroutines)
	require.LessOrEqual(t, after.descriptors, before.descriptors)
	require.Less(t, after.heap, before.heap+soakMargin)
	for i, e := range all {
		require.NotZero(t, soaked[i].Reused.Load(), "ports were used again")
		requireNothingHeld(t, e)
	}
}

// requireNothingHeld checks that an engine holds nothing of calls that are over.
func requireNothingHeld(t *testing.T, e media.Engine) {
	t.Helper()
	var now [4]int
	require.Eventually(t, func() bool {
		now[0], now[1], now[2], now[3] = media.Held(e)
		return now == [4]int{}
	}, testkit.Patience, 10*time.Millisecond, "streams, ports, streams of which there is something to tell, lines")
}

// publish says what the soak was, where that is wanted, and in the test's log.
func publish(t *testing.T, soaked []*mediatest.Soaker, before, after held) {
	t.Helper()
	var calls []string
	for _, k := range soaked {
		calls = append(calls, fmt.Sprintf("%d calls, %d of whose ports had been another's", k.Calls.Load(), k.Reused.Load()))
	}
	row := func(name string, h held) string {
		return fmt.Sprintf("| %s | %d | %d | %.2f |\n", name, h.goroutines, h.descriptors, float64(h.heap)/(1<<20))
	}
	text := fmt.Sprintf("%s on both engines, side by side: %s.\n\n| | goroutines | descriptors | heap, MiB |\n|---|---|---|---|\n%s%s",
		soakFor, strings.Join(calls, "; "), row("before", before), row("after", after))
	t.Log("\n" + text)
	if path := os.Getenv("HOTLINE_PROOF"); path != "" {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
}
