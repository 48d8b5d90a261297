package memstore_test

import (
	"sync/atomic"
	"testing"
	"time"

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
