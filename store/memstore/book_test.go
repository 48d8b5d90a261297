package memstore_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/site"
	"hotline/store/memstore"
	"hotline/store/storetest"
)

// hands is a clock that goes on when it is told to.
type hands struct{ ns atomic.Int64 }

func (h *hands) now() time.Time          { return time.Unix(1_700_000_000, h.ns.Load()) }
func (h *hands) advance(d time.Duration) { h.ns.Add(int64(d)) }

func TestBookSuite(t *testing.T) {
	storetest.RunBook(t, func(_ *testing.T, bounds site.Bounds) storetest.BookAt {
		var clock hands
		b := memstore.NewBook(clock.now, bounds)
		return storetest.BookAt{Book: b, Advance: clock.advance, Empty: b.Empty}
	})
}

func enter(t *testing.T, b site.Book, id call.NodeID) {
	t.Helper()
	_, err := b.Enter(t.Context(), site.Node{ID: id, Lease: time.Minute}, site.Lease{})
	require.NoError(t, err)
}

// TestBookClone: a copy and the book it is of go their own ways, and a place of the one is none of the other's.
func TestBookClone(t *testing.T) {
	var clock, later hands
	b := memstore.NewBook(clock.now, site.DefaultBounds())
	enter(t, b, "a.1")
	common, err := b.Read(t.Context())
	require.NoError(t, err)
	c := b.Clone(later.now)
	enter(t, b, "b.1")
	enter(t, c, "c.1")
	later.advance(2 * time.Minute)
	_, err = c.Renew(t.Context(), "c.1")
	require.ErrorIs(t, err, site.ErrDead)
	_, err = b.Renew(t.Context(), "b.1")
	require.NoError(t, err)
	ours, err := b.Since(common.At)
	require.NoError(t, err)
	require.Len(t, ours, 1)
	theirs, err := c.Since(common.At)
	require.NoError(t, err)
	require.Len(t, theirs, 3)
	require.EqualValues(t, "c.1", theirs[0].Node.ID)
}

// TestBookForget: a failover that lost the last writes gives a token twice, and whoever read what was lost has a gap, be as
// much written since.
func TestBookForget(t *testing.T) {
	var clock hands
	b := memstore.NewBook(clock.now, site.DefaultBounds())
	enter(t, b, "a.1")
	flow := call.SiteFact{Flow: &call.SiteFlow{Agent: "8001"}}
	require.NoError(t, b.Say(t.Context(), "a.1", flow))
	kept, err := b.Read(t.Context())
	require.NoError(t, err)
	replica := b.Clone(clock.now)
	first, err := b.Claim(t.Context(), "a.1", "8001", "c1")
	require.NoError(t, err)
	lost, err := b.Read(t.Context())
	require.NoError(t, err)
	for range 2 {
		b.Forget(replica)
		_, err = b.Since(lost.At)
		require.ErrorIs(t, err, site.ErrGap)
		second, err := b.Claim(t.Context(), "a.1", "8001", "c2")
		require.NoError(t, err)
		require.Equal(t, first.Token, second.Token)
		_, err = b.Since(lost.At)
		require.ErrorIs(t, err, site.ErrGap, "there are as many entries, but others")
		entries, err := b.Since(kept.At)
		require.NoError(t, err, "who has not read what was lost misses nothing")
		require.Equal(t, "c2", entries[0].Facts[0].Claim.Call)
		now, err := b.Read(t.Context())
		require.NoError(t, err)
		lost = now
	}
}

// TestBookFollow: it waits for as long as it says, exactly; an entry, and the end of its context, end that.
func TestBookFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memstore.NewBook(time.Now, site.DefaultBounds())
		enter(t, b, "a.1")
		v, err := b.Read(t.Context())
		require.NoError(t, err)
		began := time.Now()
		none, err := b.Follow(t.Context(), v.At)
		require.NoError(t, err)
		require.Empty(t, none)
		require.Equal(t, 500*time.Millisecond, time.Since(began))

		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err = b.Follow(ctx, v.At)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 600*time.Millisecond, time.Since(began))

		time.AfterFunc(100*time.Millisecond, func() {
			assert.NoError(t, b.Say(t.Context(), "a.1", call.SiteFact{Caller: &call.SiteCaller{Call: "c1"}}))
		})
		some, err := b.Follow(t.Context(), v.At)
		require.NoError(t, err)
		require.Len(t, some, 1)
		require.Equal(t, 700*time.Millisecond, time.Since(began))

		time.AfterFunc(100*time.Millisecond, b.Empty)
		_, err = b.Follow(t.Context(), some[0].At)
		require.ErrorIs(t, err, site.ErrGap)
		require.Equal(t, 800*time.Millisecond, time.Since(began))
	})
}
