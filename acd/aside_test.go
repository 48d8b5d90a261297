package acd

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
)

// cursed are claims that panic over calls whose id begins with bad, until they are healed.
type cursed struct {
	*MemoryClaims
	healed atomic.Bool
}

func (c *cursed) Claim(agent, call string) (call.Token, bool) {
	if strings.HasPrefix(call, "bad") && !c.healed.Load() {
		panic("cursed")
	}
	return c.MemoryClaims.Claim(agent, call)
}

// cursedDesk is a desk of two agents at which every match over a bad call panics.
func cursedDesk(t *testing.T) (c *Center, claims *cursed, logs *observer.ObservedLogs, stop func()) {
	t.Helper()
	claims = &cursed{MemoryClaims: NewMemoryClaims(1)}
	core, logs := observer.New(zapcore.ErrorLevel)
	skills := map[string]int{"repair": 1, "gas": 1}
	c, stop = running(t, Options{
		Queues: []Queue{{Name: "repair"}, {Name: "gas", Alarm: true, Strategy: RingAll}}, Phones: silent{}, Claims: claims,
		Agents:   []Agent{{ID: "8001", Skills: skills}, {ID: "8002", Skills: skills}},
		Ladder:   Ladder{Queue: "gas", AllSkilled: time.Minute, Everyone: time.Minute, Duty: time.Minute},
		Registry: prometheus.NewPedanticRegistry(), Logger: zap.New(core),
	})
	c.Flow("8001", true)
	c.Flow("8002", true)
	return c, claims, logs, stop
}

func seated(t *testing.T, c *Center, ticket call.Ticket) call.Seat {
	t.Helper()
	seat, err := c.Join(t.Context(), ticket)
	require.NoError(t, err)
	return seat
}

func offersOf(s call.Seat) int {
	_, offers := s.Visit()
	return len(offers)
}

// TestCallerSetAside: a fault that recurs over the first caller keeps nobody behind it waiting, and the second time
// that caller is turned away, to go where the queue sends such callers. It is counted, and logged once.
func TestCallerSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, logs, stop := cursedDesk(t)
		release := c.Hold()
		bad := seated(t, c, call.Ticket{CallID: "bad", Queue: "repair"})
		first := seated(t, c, call.Ticket{CallID: "c1", Queue: "repair"})
		release()
		synctest.Wait()
		require.Equal(t, 1, offersOf(first), "the next is rung for in the same instant")
		require.Empty(t, bad.Turned())
		<-time.After(minDelay)
		synctest.Wait()
		require.Len(t, bad.Turned(), 1)
		require.Equal(t, call.QueueFault, <-bad.Turned())
		decisions := bad.Decisions()
		require.Equal(t, "overflow:fault", decisions[len(decisions)-1].Rule)
		require.InDelta(t, 1, testutil.ToFloat64(c.figures.overflow.WithLabelValues("repair", "fault")), 0)
		require.Equal(t, 1, logs.FilterMessage("a fault of ours keeps a caller from being matched").Len())
		second := seated(t, c, call.Ticket{CallID: "c2", Queue: "repair"})
		synctest.Wait()
		require.Equal(t, 1, offersOf(second))
		require.Equal(t, 2, Must(c.Queues())[0].Waiting)
		stop()
	})
}

// TestCallerSetAsideOnce: a fault that does not recur costs that caller a second.
func TestCallerSetAsideOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, claims, logs, stop := cursedDesk(t)
		bad := seated(t, c, call.Ticket{CallID: "bad", Queue: "repair"})
		synctest.Wait()
		claims.healed.Store(true)
		c.inbox.put(func(*desk) { panic("another, which has everything derived anew") })
		<-time.After(minDelay - 1)
		synctest.Wait()
		require.Zero(t, offersOf(bad))
		<-time.After(1)
		synctest.Wait()
		require.Equal(t, 1, offersOf(bad))
		require.Empty(t, bad.Turned())
		require.Zero(t, logs.FilterMessage("a fault of ours keeps a caller from being matched").Len())
		stop()
	})
}

// TestWantedAgentSetAside: who asks for an agent by name, and is in no queue or has one try, is told that it came to
// nothing.
func TestWantedAgentSetAside(t *testing.T) {
	for _, once := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c, _, _, stop := cursedDesk(t)
			bad := seated(t, c, call.Ticket{CallID: "bad", Agent: "8001", Once: once})
			<-time.After(minDelay)
			synctest.Wait()
			require.Len(t, bad.Failed(), 1)
			require.Equal(t, call.CauseError, <-bad.Failed())
			good := seated(t, c, call.Ticket{CallID: "c1", Agent: "8001", Once: once})
			synctest.Wait()
			require.Equal(t, 1, offersOf(good))
			stop()
		})
	}
}

// TestAlarmSetAside: an alarm is not turned away: it is tried again each second, those behind are served meanwhile, and
// it has a phone as soon as the fault is over.
func TestAlarmSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, claims, logs, stop := cursedDesk(t)
		release := c.Hold()
		bad := seated(t, c, call.Ticket{CallID: "bad", Queue: "gas"})
		lesser := seated(t, c, call.Ticket{CallID: "c1", Queue: "repair"})
		release()
		synctest.Wait()
		require.Equal(t, 1, offersOf(lesser))
		<-time.After(5 * minDelay)
		synctest.Wait()
		require.Zero(t, offersOf(bad))
		visit, _ := bad.Visit()
		require.Nil(t, visit.Left)
		require.Equal(t, 1, logs.FilterMessage("a fault of ours keeps a caller from being matched").Len())
		claims.healed.Store(true)
		<-time.After(minDelay)
		synctest.Wait()
		require.Equal(t, 1, offersOf(bad), "the agent who is free")
		stop()
	})
}
