package site

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestCheckCallers: what this node and the book say of its callers is made one: who waits and is not in the book is said, who
// is there and does not wait any more is said to be gone, and what is so already is left alone. However many they are, nobody
// waits for mu until all are looked over.
func TestCheckCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := New(Options{Book: noBook{}, Edge: noEdge{}, Desk: noDesk{}, Peers: noPeers{}})
		require.NoError(t, err)
		const many = 10 * breath
		m.dead, m.whole = false, true
		for i := range many {
			id := fmt.Sprint("c", i)
			c := call.SiteCaller{Call: id, Owner: m.node.ID}
			if i%3 != 0 { // else the book does not have it
				m.view.callers[id] = c
			}
			if i%3 != 1 { // else nobody waits
				m.own.callers[id] = call.SiteFact{Caller: &c}
			}
		}
		m.own.callers["over"] = call.SiteFact{Gone: &call.SiteCallerGone{Call: "over"}}
		began, given := time.Now(), 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			m.under(func() { m.checkCallers(t.Context()) })
		}()
		for {
			synctest.Wait()
			if !m.mu.TryLock() {
				t.Fatal("mu is held while nothing is done")
			}
			given++
			m.mu.Unlock()
			select {
			case <-done:
			case <-time.After(breathe):
				continue
			}
			break
		}
		require.Greater(t, given, many/breath)
		require.GreaterOrEqual(t, time.Since(began), 10*breathe)
		said := map[string]bool{}
		for _, p := range m.out.facts {
			if p.fact.Caller != nil {
				said[p.fact.Caller.Call] = true
			} else {
				said["gone "+p.fact.Gone.Call] = true
				require.Equal(t, howLost, p.fact.Gone.How)
			}
		}
		for i := range many {
			id := fmt.Sprint("c", i)
			require.Equal(t, i%3 == 0, said[id], id)
			require.Equal(t, i%3 == 1, said["gone "+id], id)
		}
		require.NotContains(t, m.own.callers, "over", "the book knows")
	})
}
