package acd

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// undoing are claims that spoil what a match relies on to come to an end, over calls whose id begins with bad.
type undoing struct {
	*MemoryClaims
	desk   *desk
	spoil  func(d *desk, agent, call string)
	healed atomic.Bool
}

func (u *undoing) Claim(agent, id string) (call.Token, bool) {
	if strings.HasPrefix(id, "bad") && !u.healed.Load() {
		u.spoil(u.desk, agent, id)
		return call.Token{}, false
	}
	return u.MemoryClaims.Claim(agent, id)
}

// endlessDesk is a desk of two agents for alarms and repair, and one for consult. panics counts those contained.
func endlessDesk(t *testing.T, spoil func(d *desk, agent, call string)) (c *Center, claims *undoing, panics *int, stop func()) {
	t.Helper()
	claims, panics = &undoing{MemoryClaims: NewMemoryClaims(1), spoil: spoil}, new(int)
	skills := map[string]int{"repair": 1, "gas": 1}
	c, stop = running(t, Options{
		Queues: []Queue{{Name: "repair"}, {Name: "gas", Alarm: true, Strategy: RingAll}, {Name: "consult"}}, Phones: silent{}, Claims: claims,
		Agents:  []Agent{{ID: "8001", Skills: skills}, {ID: "8002", Skills: skills}, {ID: "8003", Skills: map[string]int{"consult": 1}}},
		Ladder:  Ladder{Queue: "gas", AllSkilled: time.Minute, Everyone: time.Minute, Duty: time.Minute},
		OnPanic: func(string, any) { *panics++ },
	})
	c.inbox.put(func(d *desk) { claims.desk = d })
	for _, a := range []string{"8001", "8002", "8003"} {
		c.Flow(a, true)
	}
	return c, claims, panics, stop
}

// TestMatchEnds: agents who are taken elsewhere, and do not rest as they should, do not keep the desk at one caller for
// ever: that is a fault over this caller, and the others are rung for in the same instant.
func TestMatchEnds(t *testing.T) {
	for _, queue := range []string{"repair", "gas"} {
		t.Run(queue, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, claims, panics, stop := endlessDesk(t, func(d *desk, agent, _ string) {
					for _, a := range d.agents {
						if a.ID != agent { // the one who was refused before
							a.restUntil, a.alarmRest = time.Time{}, time.Time{}
							d.refresh(a)
						}
					}
				})
				release := c.Hold()
				bad := seated(t, c, call.Ticket{CallID: "bad", Queue: queue})
				good := seated(t, c, call.Ticket{CallID: "c1", Queue: "consult"})
				release()
				synctest.Wait()
				require.Equal(t, 1, *panics)
				require.Equal(t, 1, offersOf(good))
				require.Zero(t, offersOf(bad))
				claims.healed.Store(true)
				<-time.After(minDelay)
				synctest.Wait()
				require.NotZero(t, offersOf(bad), "tried again a second later")
				require.Equal(t, 1, *panics)
				stop()
			})
		})
	}
}

// TestPairEnds: callers who do not stay aside do not keep the desk for ever: it takes in what it is told, and tries
// again a second later.
func TestPairEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, claims, panics, stop := endlessDesk(t, func(d *desk, _, call string) {
			for _, x := range d.byQueue["gas"].waiting.items {
				if x.CallID != call && x.aside {
					x.aside = false
					d.alarms.remove(&x.retry)
				}
			}
			panic("a fault")
		})
		release := c.Hold()
		bad := seated(t, c, call.Ticket{CallID: "bad1", Queue: "gas"})
		other := seated(t, c, call.Ticket{CallID: "bad2", Queue: "gas"})
		release()
		synctest.Wait()
		require.NotZero(t, *panics)
		require.Less(t, *panics, 10)
		require.Len(t, Must(c.Agents()), 3)
		synctest.Wait() // it answers before it has tried to pair again
		claims.healed.Store(true)
		<-time.After(minDelay)
		synctest.Wait()
		require.Equal(t, 1, offersOf(bad))
		require.Equal(t, 1, offersOf(other))
		stop()
	})
}
