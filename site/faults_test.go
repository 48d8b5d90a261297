package site_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/site"
)

// TestFaults has three nodes ring six phones at random, while nodes are killed, lose the book, are stopped or not heard by the
// others, phones move, and the book is emptied or forgets. No phone ever has two legs at once (inWorld looks); and once all is
// well again, no claim is left and each phone can be rung from every node.
func TestFaults(t *testing.T) {
	t.Parallel()
	for seed := range uint64(24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) { faults(w, rand.New(rand.NewPCG(seed, 7))) }) //nolint:gosec // chance is not for secrets here
		})
	}
}

const faultPhones = 6

func faults(w *world, chance *rand.Rand) {
	t := w.t
	w.expires = 40 * time.Second
	lasts := func(o *site.Options) { o.Rings = w.expires }
	names := []string{"a", "b", "c"}
	nodes := make([]*node, len(names))
	for i, name := range names {
		nodes[i] = w.node(name, lasts)
	}
	agent := func(i int) string { return fmt.Sprintf("80%02d", i) }
	at := make([]int, faultPhones)
	for i := range at {
		at[i] = i % len(nodes)
		nodes[at[i]].registers(agent(i))
	}
	within(t, 5*time.Second, "all have joined", func() bool { return nodes[0].Others() == 2 && nodes[2].Others() == 2 })
	w.answerAfter = 300 * time.Millisecond
	before := w.book.Clone(func() time.Time { return time.Now().Add(-bookBehind) })
	var calls sync.WaitGroup
	n, answered := 0, 0
	var mu sync.Mutex
	work := func(d time.Duration) {
		for until := time.Now().Add(d); time.Now().Before(until); time.Sleep(time.Duration(20+chance.IntN(100)) * time.Millisecond) {
			n++
			owner, who, id := nodes[chance.IntN(len(nodes))], agent(chance.IntN(faultPhones)), fmt.Sprintf("call-%d", n)
			talk := time.Duration(chance.IntN(4000)) * time.Millisecond
			calls.Go(func() {
				ctx, giveUp := context.WithTimeoutCause(context.Background(), 15*time.Second, call.CancelCause{Why: call.CauseNoAnswer})
				defer giveUp()
				l, err := owner.Ring(ctx, call.RingRequest{Agent: who, CallID: id})
				if err == nil {
					mu.Lock()
					answered++
					mu.Unlock()
					time.Sleep(talk)
					l.Hangup(call.CauseBye)
				}
				owner.Release(who, id, call.SiteRest{How: "answered"})
			})
		}
	}
	for range 12 {
		k := chance.IntN(len(nodes))
		x := nodes[k]
		fault := chance.IntN(8)
		w.console() // such a talk is to be kept apart through one more fault, not through any number of them
		t.Logf("%s: FAULT %d at %s", time.Now().Format(time.TimeOnly), fault, x.name)
		down := time.Duration(chance.IntN(12_000)) * time.Millisecond
		switch fault {
		case 0:
			x.link.set(true, false)
			work(down)
			x.link.set(false, false)
		case 1:
			x.link.set(false, true)
			work(down)
			x.link.set(false, false)
		case 2:
			x.freeze()
			work(down)
			x.thaw()
			w.hear(x, true)
		case 3:
			w.hear(x, false)
			work(down)
			w.hear(x, true)
		case 4:
			w.book.Empty()
			before = w.book.Clone(func() time.Time { return time.Now().Add(-bookBehind) })
		case 5:
			w.book.Forget(before)
		case 6:
			i := chance.IntN(faultPhones)
			at[i] = k
			x.registers(agent(i))
		case 7:
			x.kill()
			for i := range at {
				if at[i] == k {
					at[i] = (k + 1) % len(nodes)
					nodes[at[i]].registers(agent(i))
				}
			}
			alive := nodes[(k+1)%len(nodes)]
			nodes[k] = alive // callers call there
			work(down)
			nodes[k] = w.node(names[k], lasts)
		}
		work(time.Second)
	}
	calls.Wait()
	time.Sleep(15 * time.Second)
	require.Positive(t, answered)
	defer func() {
		if t.Failed() {
			t.Logf("claims: %+v", w.claims())
			for i := range faultPhones {
				x := nodes[at[i]]
				past, _ := x.edge.Past(agent(i))
				t.Logf("%s at %s (has: %t, open: %t, in the book at %s): %+v leg %+v", agent(i), x.name, x.edge.has(agent(i)),
					x.edge.open(agent(i)), w.flowAt(agent(i)), past, past.Leg)
			}
			for _, x := range nodes {
				t.Logf("%s: %+v", x.name, x.Status())
			}
		}
	}()
	within(t, 4*time.Minute, "no claim is left, and all phones are open", func() bool {
		open := 0
		for i := range faultPhones {
			if nodes[at[i]].edge.open(agent(i)) {
				open++
			}
		}
		return len(w.claims()) == 0 && open == faultPhones
	})
	for i := range faultPhones {
		require.Equal(t, nodes[at[i]].Self(), w.flowAt(agent(i)), agent(i))
		for _, x := range nodes {
			x.talk(agent(i), "last").Hangup(call.CauseBye)
			x.Release(agent(i), "last", call.SiteRest{})
			time.Sleep(time.Second)
		}
	}
	t.Logf("%d rings, %d answered", n, answered)
}
