package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The heap may grow by so many percent between two collections of garbage. A server of calls makes some 50 kB of it for each and
// keeps little: with Go's 100 a heap of some ten megabytes is marked again and again, for a tenth of the CPU time at 1,000 calls a
// second. But what a heap may grow to it does, and a server that has little to do would hold five times what it needs.
const (
	growsMost  = 400
	growsLeast = 100
)

const (
	// collectApart is about how long one collection is to come after another, as far as that takes no growth beyond growsMost.
	collectApart = 5 * time.Second
	// growthEvery is how often the growth is looked at. It rises at once, and falls by growthFall, so that who comes and goes has
	// it not change all the time.
	growthEvery = 2 * time.Second
	growthFall  = 0.9
)

// collectSeldom sets the garbage collector for a server that is busy, unless the environment says how it is to be; false: it does.
func collectSeldom() bool {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return false
	}
	debug.SetGCPercent(growsMost)
	return true
}

// collectByNeed is collectSeldom for one that may be idle: until stop is called the heap may grow by what the garbage that is
// made asks for.
func collectByNeed() (stop func()) {
	if !collectSeldom() {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		g := growth{percent: growsMost}
		tick := time.NewTicker(growthEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if percent, changed := g.look(heapNow()); changed {
					debug.SetGCPercent(percent)
				}
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// heap is what the runtime says of it: octets allocated so far, and in use when garbage was collected last.
type heap struct{ allocated, live uint64 }

func heapNow() heap {
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(samples)
	return heap{samples[0].Value.Uint64(), samples[1].Value.Uint64()}
}

// growth is how much the heap may grow, in percent, and what was seen of it.
type growth struct {
	percent int
	seen    heap
}

// look takes what is seen growthEvery after what was before, and returns by how much the heap may grow from now on.
func (g *growth) look(now heap) (percent int, changed bool) {
	made := now.allocated - g.seen.allocated
	if first := g.seen == (heap{}); first {
		made = 0
	}
	g.seen = now
	asked := 100 * float64(made) * float64(collectApart/time.Second) / float64(growthEvery/time.Second) / float64(max(1, now.live))
	next := int(min(growsMost, max(growsLeast, asked, growthFall*float64(g.percent))))
	changed = next != g.percent
	g.percent = next
	return next, changed
}
