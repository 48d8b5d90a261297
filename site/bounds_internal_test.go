package site

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestSharedBound: of regulars and places a node keeps as many, and for as long, as the book: the log does not tell what that
// drops.
func TestSharedBound(t *testing.T) {
	t.Parallel()
	bounds, now := DefaultBounds(), time.Now()
	v := newView()
	regular := func(i int) call.SiteFact {
		return call.SiteFact{Regular: &call.SiteRegular{Queue: "q", Number: strconv.Itoa(i), At: now.Add(-time.Duration(i) * time.Second)}}
	}
	place := func(i int) call.SiteFact {
		return call.SiteFact{Place: &call.SitePlace{Queue: "q", Number: strconv.Itoa(i), Until: now.Add(time.Duration(i) * time.Second)}}
	}
	shift := call.SiteFact{Shift: &call.Shift{Agent: "8001"}}
	v.apply(shift, now)
	for i := range bounds.Regulars + 1000 {
		v.apply(regular(i), now)
	}
	for i := range bounds.Places + 1000 {
		v.apply(place(i+1), now)
	}
	v.forget(now)
	require.Len(t, v.shared, 1+bounds.Regulars+bounds.Places)
	require.Contains(t, v.shared, keyOf(shift))
	require.Contains(t, v.shared, keyOf(regular(0)), "the newest")
	require.NotContains(t, v.shared, keyOf(regular(bounds.Regulars)), "the oldest")
	require.NotContains(t, v.shared, keyOf(place(1)), "it ends first")
	require.Contains(t, v.shared, keyOf(place(bounds.Places+1000)))

	v.forget(now.Add(bounds.RegularsFor + time.Minute))
	require.Equal(t, map[string]call.SiteFact{keyOf(shift): shift}, v.shared, "all else is over")

	for i := range 2*thinBeyond + 2 { // more than may wait for the next time
		v.apply(call.SiteFact{Place: &call.SitePlace{Queue: "q", Number: strconv.Itoa(i), Until: now}}, now)
	}
	v.forget(now.Add(bounds.RegularsFor + time.Minute + time.Second))
	require.Len(t, v.shared, 1)
}

// TestRemindBound: a book that was lost is reminded of what matters most, and of no more than can wait to be written.
func TestRemindBound(t *testing.T) {
	t.Parallel()
	m := bare(t, noBook{})
	now := time.Now()
	m.view.book = "first"
	for i := range maxPending {
		m.view.share(call.SiteFact{Regular: &call.SiteRegular{Queue: "q", Number: strconv.Itoa(i), At: now.Add(-time.Duration(i) * time.Second)}})
	}
	rest := call.SiteFact{Rest: &call.SiteRest{Agent: "8001"}}
	m.view.share(rest)
	next := newView()
	next.book = "second"
	m.remind(&next)
	require.Len(t, next.shared, maxPending+1, "it knows it all the same")
	require.Len(t, m.out.index, remindMost)
	require.True(t, m.out.awaits(keyOf(rest)))
	require.True(t, m.out.awaits("regular\x00q\x000"), "the newest")
	require.False(t, m.out.awaits("regular\x00q\x00"+strconv.Itoa(maxPending-1)))
}

func bare(t *testing.T, book Book) *Member {
	t.Helper()
	m, err := New(Options{Book: book, Edge: noEdge{}, Desk: noDesk{}, Peers: noPeers{}, OnPanic: func(string, any) {}})
	require.NoError(t, err)
	return m
}

// oneNode is a book that has a node, in a run of its own.
type oneNode struct {
	Book
	n *Node
}

func (b oneNode) Read(context.Context) (View, error) { return View{Nodes: []Node{*b.n}}, nil }

func (b oneNode) Enter(_ context.Context, n Node, _ Lease) (Lease, error) {
	*b.n = n
	return Lease{Book: "another", Now: time.Now()}, nil
}

func (b oneNode) Renew(context.Context, call.NodeID) (Lease, error) {
	return Lease{Now: time.Now()}, nil
}

// TestPanicHoldsNoLock: the ports panic, whichever is called, and no lock is held afterwards.
func TestPanicHoldsNoLock(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(ctx context.Context, m *Member){
		"check": func(ctx context.Context, m *Member) {
			wake(m.wakeCheck)
			m.checks(ctx)
		},
		"ask": func(ctx context.Context, m *Member) {
			m.state = call.SiteCut
			m.arrivals.came("8001", time.Now().Add(-time.Hour))
			wake(m.wakeAsk)
			m.asks(ctx)
		},
		"watch": func(ctx context.Context, m *Member) {
			m.silent = time.Now().Add(time.Hour) // as of a clock that is not to be waited for
			m.cut = true
			m.watches(ctx)
		},
		"read":   func(ctx context.Context, m *Member) { m.dead = false; m.read(ctx, 0) },
		"follow": func(_ context.Context, m *Member) { m.takeIn([]Entry{{Dead: "other.1"}}, 0) },
		"died": func(_ context.Context, m *Member) {
			m.dead, m.state = false, call.SiteCut
			m.died(m.node.ID)
		},
		"enter": func(ctx context.Context, m *Member) {
			m.state = call.SiteCut
			m.enter(ctx)
		},
		"renew": func(ctx context.Context, m *Member) {
			m.state = call.SiteCut
			_ = m.renew(ctx)
		},
		"yield": func(_ context.Context, m *Member) { m.Yield([]string{"8001"}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := &Node{}
			m := bare(t, oneNode{n: n})
			*n = m.node
			panicked := false
			m.o.OnPanic = func(string, any) { panicked = true }
			m.once(t.Context(), name, func(ctx context.Context) { f(ctx, m) })
			require.True(t, panicked)
			require.True(t, m.mu.TryLock(), "mu is held")
			select {
			case m.tell <- struct{}{}:
			default:
				require.Fail(t, "tell is held")
			}
		})
	}
}
