package call_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestPicked runs the cases in testdata/picked: callers for whom one agent is rung before the others of a queue. They are
// scripts as in testdata/transfers, and besides
//
//	pick CALL AGENT [REFUSAL]      a supervisor has that agent rung; REFUSAL is talks, rung, alarm or gone
//	seat CALL QUEUE|- AGENT|- SINCE the newest seat of the call: whom it is for, and in whose place
func TestPicked(t *testing.T) {
	refusals := map[string]error{
		"": nil, "talks": call.ErrNotWaiting, "rung": call.ErrPicked, "alarm": call.ErrAlarm, "gone": call.ErrNotFound,
	}
	playCases(t, "picked", func(t *testing.T, script string) string {
		t.Helper()
		w := newTown(t)
		w.desk.Queues["gas-alarm"] = true
		w.x.Queues["gas-alarm"] = call.QueueOptions{WaitPrompt: "please-wait", Alarm: true}
		w.also = func(what string, args []string) bool {
			switch what {
			case "pick":
				refusal := strings.Join(args[2:], "")
				require.ErrorIs(t, w.x.Pick(t.Context(), w.id(args[0]), args[1]), refusals[refusal])
			case "seat":
				s := w.seatOf(args[0]).Ticket
				since := time.Duration(0)
				if !s.Entered.IsZero() {
					since = s.Entered.Sub(w.start)
				}
				require.Equal(t, strings.Join(args[1:], " "), strings.ReplaceAll(fmt.Sprint(s.Queue, " ", s.Agent, " ", since), "  ", " - "))
				require.Equal(t, s.Agent != "", s.Once)
				require.False(t, s.Front)
			default:
				return false
			}
			return true
		}
		return w.play(script)
	})
}

// TestPickedInTheInstantOfTheAnswer: the agent who has just answered keeps the caller, and who picked is told so.
func TestPickedInTheInstantOfTheAnswer(t *testing.T) {
	for range 20 { // of several things that are there, either may be seen first
		synctest.Test(t, func(t *testing.T) {
			w := newTown(t)
			w.line("call M 13912345678 queue:repair; ring M 8001")
			told := make(chan error, 1)
			seat, id, leg := w.seatOf("M"), w.id("M"), w.leg("8001@M")
			go func() { told <- w.x.Pick(context.Background(), id, "8003") }()
			answered := seat.Answer("8001", leg)
			synctest.Wait()
			err := <-told
			if !answered { // the wish was first, and the desk hangs up who answers
				require.NoError(t, err)
				w.legs["8001@M"].Hangup(call.CauseWithdrawn)
				w.line("answer M 8003")
			} else {
				require.ErrorIs(t, err, call.ErrNotWaiting)
			}
			<-time.After(7 * time.Second)
			w.line("joined 1; end caller@M bye")
			w.wg.Wait()
			require.Equal(t, map[bool]string{true: "8001", false: "8003"}[answered], w.books.finished(t, w.id("M")).Agent)
			w.requireRest()
		})
	}
}

// TestPickGivenUp: who asks and does not wait for the answer is told why.
func TestPickGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		w.line("call M 13912345678 queue:repair")
		ctx, cancel := context.WithCancelCause(context.Background())
		gone := errors.New("gone")
		cancel(gone)
		if err := w.x.Pick(ctx, w.id("M"), "8003"); err != nil { // unless the answer was quicker
			require.ErrorIs(t, err, gone)
		}
		w.line("end caller@M bye")
		w.wg.Wait()
		w.requireRest()
	})
}
