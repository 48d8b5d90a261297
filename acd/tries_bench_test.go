package acd

import (
	"fmt"
	"testing"
	"time"

	"hotline/call"
)

// BenchmarkOneTry: so many callers who want one agent, and nobody else, come in one instant, each for an agent who is
// free. It reports the time for one: where it stays the same from a thousand to ten thousand, the whole is not
// quadratic.
func BenchmarkOneTry(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				d, callers := crowd(b, n)
				d.background = func(func()) {}
				b.StartTimer()
				for _, c := range callers {
					d.admit(c)
				}
				d.match()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/caller")
		})
	}
}

// BenchmarkTooLong: likewise, so many have waited too long in one instant.
func BenchmarkTooLong(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				d, callers := crowd(b, n)
				for _, c := range callers {
					c.only, c.Once = nil, false
					d.admit(c)
				}
				b.StartTimer()
				for _, c := range callers {
					c.late = true
					d.index(c)
				}
				d.settle()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/caller")
		})
	}
}

// crowd is a desk of so many agents, and as many callers who are about to come, each with one try at one of them.
func crowd(b *testing.B, n int) (*desk, []*caller) {
	b.Helper()
	o := Options{Phones: silent{}, Queues: []Queue{{Name: "repair", Limits: Limits{MaxWait: time.Hour}}}}
	for i := range n {
		o.Agents = append(o.Agents, Agent{ID: fmt.Sprint(i)})
	}
	if err := o.complete(); err != nil {
		b.Fatal(err)
	}
	d := newDesk(&o, newFigures(newLoad(time.Now())), func(message) bool { return true })
	callers := make([]*caller, n)
	for i, a := range d.agents {
		d.setFlow(a, true)
		t := call.Ticket{CallID: fmt.Sprint(i), Queue: "repair", Once: true, Entered: d.now}
		callers[i] = &caller{Ticket: t, queue: d.queues[0], only: a, seat: newSeat(t, time.Second), unwatch: func() bool { return true }}
	}
	return d, callers
}
