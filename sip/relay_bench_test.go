package sip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"hotline/call"
)

// BenchmarkRing rings a phone that refuses at once, directly and by way of another node, by turns: what the edge adds to
// the time from the ring to its end, and to the CPU time of both nodes and the phone.
func BenchmarkRing(b *testing.B) {
	s := newBenchSite(b)
	go func() {
		for {
			w, err := s.phone.read(time.Hour)
			if err != nil {
				return
			}
			switch w.method() {
			case "INVITE":
				s.phone.write(s.phone.response(w, 486, "Busy Here", "ph1", ""))
			case "OPTIONS":
				s.phone.write(s.phone.response(w, 200, "OK", "ph1", ""))
			}
		}
	}()
	var took, used [2]time.Duration
	for b.Loop() {
		for i, from := range []*rig{s.edge, s.owner} {
			c := s.claim()
			if from == s.edge {
				c.Via = ""
			}
			cpu, began := processorTime(b), time.Now()
			_, err := from.Ring(context.Background(), call.RingRequest{Agent: "8001", From: "13900001234", CallID: "c1", Claim: c})
			if e, ok := errors.AsType[*call.RingError](err); !ok || e.Why != call.CauseBusy {
				b.Fatal(err)
			}
			took[i] += time.Since(began)
			used[i] += processorTime(b) - cpu
		}
	}
	b.ReportMetric(float64(took[0].Microseconds())/float64(b.N), "µs/direct")
	b.ReportMetric(float64(took[1])/float64(took[0]), "x/through-edge")
	b.ReportMetric(float64(used[0].Microseconds())/float64(b.N), "cpu-µs/direct")
	b.ReportMetric(float64(used[1])/float64(used[0]), "cpu-x/through-edge")
}

// newBenchSite is newSiteRig for a benchmark.
func newBenchSite(b *testing.B) *siteRig {
	b.Helper()
	s := &siteRig{}
	far := time.Now().Add(time.Hour)
	s.lease.Store(&far)
	node := func(name string) *rig {
		r := &rig{engine: &fakeEngine{}, flows: make(chan string, 16)}
		local := netip.MustParseAddrPort("127.0.0.1:0")
		ua, err := New(Options{
			Listen: []Listener{{Network: "udp", Address: local}}, Realm: "hotline", Engine: r.engine,
			Agents: []AgentOptions{{ID: "8001", Password: "one"}},
			OnFlow: func(agent string, up bool) { r.flows <- fmt.Sprint(agent, " ", up) },
			Site: &SiteOptions{
				Listen: local, Secret: siteSecret, Self: func() call.NodeID { return call.NodeID(name) },
				Lease: func() time.Time { return *s.lease.Load() }, MovesOn: s.moves.Load,
			},
		})
		if err != nil {
			b.Fatal(err)
		}
		r.UA = ua
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- ua.Run(ctx) }()
		b.Cleanup(func() {
			cancel()
			if err := <-done; err != nil {
				b.Error(err)
			}
		})
		return r
	}
	s.edge, s.owner = node("edge.1"), node("owner.1")
	s.phone = newPeer(b, "udp", s.edge.udp())
	s.phone.register(s.edge)
	s.edge.Seed(call.GatePast{Agent: "8001"})
	return s
}
