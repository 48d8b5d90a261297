package acd_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"hotline/acd"
	"hotline/call"
)

// TestFailAgainstLeave: the one try fails, or is answered, while the caller leaves, on two processors. The
// seat ends once: Failed has a cause only if failing was first, and Leave returns false only for an answer.
func TestFailAgainstLeave(t *testing.T) {
	for _, why := range []call.Cause{call.CauseDeclined, call.CauseNone} {
		for range 200 {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, ringAll(1))
				l.center.Flow("8001", true)
				seat, err := l.center.Join(t.Context(), call.Ticket{CallID: "c1", Agent: "8001", Once: true})
				require.NoError(t, err)
				synctest.Wait()
				left := make(chan bool, 1)
				go func() { left <- seat.Leave(call.CauseCancel) }()
				l.phones.end("8001", why)
				won := <-left
				synctest.Wait()
				visit, offers := seat.Visit()
				require.NotNil(t, visit.Left)
				require.Len(t, offers, 1)
				require.Equal(t, won, seat.Leave(call.CauseBye), "both sides agree")
				select {
				case a := <-seat.Answered():
					require.False(t, won)
					require.Empty(t, seat.Failed())
					a.Leg.Hangup(call.CauseBye)
				case got := <-seat.Failed():
					require.True(t, won)
					require.Equal(t, call.CauseDeclined, got)
					require.Equal(t, "failed", visit.How)
				default:
					require.True(t, won)
					require.Equal(t, "abandoned", visit.How)
				}
				synctest.Wait()
				require.Nil(t, l.phones.bell("8001"))
				require.NotEqual(t, call.AgentTalking, l.state("8001"))
				require.NotEqual(t, call.AgentRinging, l.state("8001"))
				l.stop()
			})
		}
	}
}

// TestOnceAtTheEnd: a desk that stops fails those who have one try, whether their phone rings or not.
func TestOnceAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, ringAll(1))
		l.center.Flow("8001", true)
		seat := l.join(call.Ticket{CallID: "c1", Agent: "8001", Once: true})
		synctest.Wait()
		l.stop()
		require.Equal(t, call.CauseShutdown, l.failed["c1"])
		visit, _ := seat.Visit()
		require.Equal(t, "shutdown", visit.How)
		_, err := l.center.Join(t.Context(), call.Ticket{CallID: "c2", Agent: "8001", Once: true})
		require.ErrorIs(t, err, acd.ErrStopped)
	})
}

// TestNobodysQueue: without a queue an agent must be named; the call is in no queue's figures.
func TestNobodysQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, ringAll(1))
		_, err := l.center.Join(t.Context(), call.Ticket{CallID: "c1"})
		require.ErrorIs(t, err, call.ErrNoQueue)
		_, err = l.center.Join(t.Context(), call.Ticket{CallID: "c1", Agent: "8009", Once: true})
		require.ErrorIs(t, err, acd.ErrNoAgent)
		l.join(call.Ticket{CallID: "c2", Agent: "8001"})
		synctest.Wait()
		for _, q := range acd.Must(l.center.Queues()) {
			require.NotEmpty(t, q.Name)
			require.Zero(t, q.Waiting)
		}
		l.stop()
	})
}
