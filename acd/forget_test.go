package acd

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// remembered is how many numbers a desk remembers: of regulars, and of places.
func remembered(c *Center) (regulars, places int) {
	done := make(chan struct{})
	c.inbox.put(func(d *desk) {
		regulars, places = len(d.regulars.by), len(d.places.kept)
		close(done)
	})
	<-done
	return regulars, places
}

// TestForgotten: numbers are personal data, so that each is forgotten when its time is over although nothing else
// happens at the desk; a fault does not keep it, and a reload by which it is wanted for a shorter time does.
func TestForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queues := func(within, rejoin time.Duration) []Queue {
			return []Queue{
				{Name: "long", LastAgent: LastAgent{Within: 2 * time.Hour}, Rejoin: 90 * time.Minute},
				{Name: "repair", LastAgent: LastAgent{Within: within}, Rejoin: rejoin},
			}
		}
		o := Options{
			Queues: queues(time.Hour, 10*time.Minute), Phones: silent{},
			Agents: []Agent{{ID: "8001", Skills: map[string]int{"repair": 1, "long": 1}}},
		}
		c, stop := running(t, o)
		now := time.Now()
		known := func(regulars, places int) {
			t.Helper()
			synctest.Wait()
			gotRegulars, gotPlaces := remembered(c)
			require.Equal(t, []int{regulars, places}, []int{gotRegulars, gotPlaces}, "after %s", time.Since(now))
		}
		for _, queue := range []string{"long", "repair"} {
			c.Finished(call.Record{From: "139", Started: now, Talks: []call.TalkRecord{{Agent: "8001", Queue: queue, Ended: &now}}})
			seat, err := c.Join(t.Context(), call.Ticket{CallID: queue, Queue: queue, From: "138", Asserted: true})
			require.NoError(t, err)
			synctest.Wait()
			require.True(t, seat.Leave(call.CauseBye))
		}
		known(2, 2)
		<-time.After(10*time.Minute + 1) // none of these instants is one at which the desk has anything else to do
		known(2, 1)
		c.inbox.put(func(d *desk) {
			d.alarms.clear()
			panic("half way")
		})
		<-time.After(50 * time.Minute)
		known(1, 1)
		<-time.After(30 * time.Minute)
		known(1, 0)

		c.Remember("repair", "137", now, time.Now())
		c.Finished(call.Record{From: "136", Started: now, Talks: []call.TalkRecord{{Agent: "8001", Queue: "repair", Ended: new(time.Now())}}})
		known(2, 1)
		o.Queues = queues(time.Minute, 0)
		put, err := c.Reload(o)
		require.NoError(t, err)
		put()
		known(2, 0)
		<-time.After(time.Minute + 1)
		known(1, 0)
		<-time.After(time.Hour)
		known(0, 0)

		seat, err := c.Join(t.Context(), call.Ticket{CallID: "last", Queue: "long", From: "138", Asserted: true})
		require.NoError(t, err)
		synctest.Wait()
		o.Queues = o.Queues[1:]
		put, err = c.Reload(o)
		require.NoError(t, err)
		put()
		c.Remember("long", "137", now, time.Now())
		require.True(t, seat.Leave(call.CauseBye))
		known(0, 0) // nor does a queue that is no more learn of anybody
		stop()
	})
}
