package call_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
)

// A call that passes the door after the drain's deadline is told to end all the same.
func TestDrainEndsWhatSlippedIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.Zero(t, s.x.Drain(ctx))
		synctest.Wait()
		s.dial("queue", "repair")
		<-s.done
		r := s.records.finished(t)
		require.Equal(t, call.ReasonShutdown, r.Reason)
		require.Equal(t, "shutdown", string(s.desk.Left()[0]))
	})
}

// brokenSeat is a seat with a fault that shows once the agent has answered.
type brokenSeat struct{ *calltest.Seat }

func (b brokenSeat) PromiseClock() time.Time {
	if v, _ := b.Visit(); v.Left != nil {
		panic("a seat with a fault")
	}
	return b.Seat.PromiseClock()
}

type brokenDesk struct{ *calltest.Desk }

func (d brokenDesk) Join(ctx context.Context, t call.Ticket) (call.Seat, error) {
	s, err := d.Desk.Join(ctx, t)
	return brokenSeat{s.(*calltest.Seat)}, err
}

// A fault in the instant of the answer frees the agent, and the record is written.
func TestFaultAtTheAnswerFreesTheAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.x.Desk = brokenDesk{s.desk}
		s.dial("queue", "repair")
		time.Sleep(time.Second)
		agent := calltest.NewLeg("8002")
		s.seat().Ring("8002")
		require.True(t, s.seat().Answer("8002", agent))
		<-s.done
		_, over := call.EndOf(agent)
		require.True(t, over, "agent's leg left up")
		require.Equal(t, call.ReasonPanic, s.records.finished(t).Reason)
		require.NotZero(t, s.panics)
	})
}

// Nothing is taken in for a call that is over, so that nobody waits for an answer.
func TestPostAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.dial("queue", "repair")
		synctest.Wait()
		id := s.x.Live()[0].Record.ID
		require.True(t, s.x.Post(id, call.HangUp{Why: call.ReasonShutdown}))
		<-s.done
		require.False(t, s.x.Post(id, call.HangUp{Why: call.ReasonShutdown}))
	})
}
