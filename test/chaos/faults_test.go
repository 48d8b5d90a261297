package chaos

import (
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// act is a fault to be made.
type act struct {
	kind  string
	node  int
	lasts time.Duration
}

// allFaults are the kinds of several nodes.
var allFaults = []string{
	faultKill, faultPause, faultDrain, faultCutState, faultCutNodes, faultStateUp, faultStateNo, faultStoreUp, faultStoreNo,
}

// ofNode are the faults that happen to one node.
var ofNode = map[string]bool{faultKill: true, faultPause: true, faultDrain: true, faultCutState: true, faultCutNodes: true}

// plan is an endless list of faults: all kinds in an order of chance, and again. It is the same for the same seed.
type plan struct {
	random *rand.Rand
	nodes  int
	kinds  []string
	left   []string
	// least and most bound how long a fault lasts, what passes until a killed one is back not counted.
	least, most time.Duration
}

func (p *plan) next() act {
	if len(p.left) == 0 {
		p.left = append([]string(nil), p.kinds...)
		p.random.Shuffle(len(p.left), func(i, j int) { p.left[i], p.left[j] = p.left[j], p.left[i] })
	}
	a := act{kind: p.left[0], node: -1, lasts: p.least + time.Duration(p.random.Int64N(int64(p.most-p.least)))}
	p.left = p.left[1:]
	if ofNode[a.kind] {
		a.node = p.random.IntN(p.nodes)
	}
	return a
}

// drained bounds how long a node takes that was asked to end: its limit, and what ending takes.
const drained = 40 * time.Second

// make makes a fault, and returns when all is whole again, as far as what was killed or cut is there again.
func (w *town) make(a act) fault {
	w.t.Helper()
	f := fault{Kind: a.kind, Node: a.node, span: span{From: time.Now()}}
	var n *node
	if a.node >= 0 {
		n = w.nodes[a.node]
	}
	switch a.kind {
	case faultKill:
		n.Kill()
		w.unraced(n)
		time.Sleep(a.lasts)
		n.Start()
	case faultPause:
		n.Signal(syscall.SIGSTOP)
		time.Sleep(a.lasts)
		n.Signal(syscall.SIGCONT)
	case faultDrain:
		w.drain(n)
		n.Start()
	case faultCutState:
		n.state.Cut()
		time.Sleep(a.lasts)
		n.state.Mend()
	case faultCutNodes:
		w.cut(n, true)
		time.Sleep(a.lasts)
		w.cut(n, false)
	case faultStateUp:
		w.redis.Kill()
		time.Sleep(a.lasts)
		w.redis.Start(w.t)
	case faultStateNo:
		w.redis.Pause()
		time.Sleep(a.lasts)
		w.redis.Resume()
	case faultStoreUp:
		w.postgres.Kill()
		time.Sleep(a.lasts)
		w.postgres.Start(w.t)
	case faultStoreNo:
		w.postgres.Pause()
		time.Sleep(a.lasts)
		w.postgres.Resume()
	}
	f.To = time.Now()
	w.t.Logf("%6.1f s to %6.1f s: %s (node %d)", f.From.Sub(w.begun).Seconds(), f.To.Sub(w.begun).Seconds(), f.Kind, f.Node)
	return f
}

// drain asks a node to end, and waits for it.
func (w *town) drain(n *node) {
	w.t.Helper()
	n.Signal(syscall.SIGTERM)
	ended := make(chan int, 1)
	go func() { ended <- n.ExitCode() }()
	select {
	case code := <-ended:
		require.Zero(w.t, code, "a node that drained")
	case <-time.After(drained):
		n.Kill()
		<-ended
		w.t.Errorf("a node that was asked to end had not after %s", drained)
	}
	w.unraced(n)
}

// unraced fails the test if the race detector spoke in a process that was killed before it could end by that.
func (w *town) unraced(n *node) {
	w.t.Helper()
	log := n.Log()
	n.said = append(n.said, log)
	if strings.Contains(log, "WARNING: DATA RACE") {
		w.t.Errorf("the race detector spoke: %.4000s", log[strings.Index(log, "WARNING: DATA RACE"):])
	}
}

// cut cuts a node off from the others, or mends that: no SIP between it and them, and no HTTP between any of them.
func (w *town) cut(n *node, off bool) {
	n.alone.Store(off)
	for _, m := range w.nodes {
		if off {
			m.http.Cut()
		} else {
			m.http.Mend()
		}
	}
}

func TestPlan(t *testing.T) {
	p := func() *plan {
		return &plan{random: rand.New(rand.NewPCG(5, 5)), nodes: 3, kinds: allFaults, least: 2 * time.Second, most: 7 * time.Second}
	}
	one, same := p(), p()
	seen := make(map[string]int)
	for range 3 * len(allFaults) {
		a := one.next()
		require.Equal(t, a, same.next(), "the same seed, the same faults")
		require.Equal(t, ofNode[a.kind], a.node >= 0)
		require.Less(t, a.node, 3)
		require.GreaterOrEqual(t, a.lasts, 2*time.Second)
		require.Less(t, a.lasts, 7*time.Second)
		seen[a.kind]++
	}
	require.Len(t, seen, len(allFaults))
	for kind, n := range seen {
		require.Equal(t, 3, n, kind)
	}
}
