package call_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
)

// shifts act on one code.
type shifts struct {
	err   error
	asked []string
}

func (s *shifts) Do(agent, dialled string) (string, error) {
	s.asked = append(s.asked, agent+" "+dialled)
	return "code-ready", s.err
}

// TestFeatureCode: a code is acted on once, the phone hears what came of it and nothing of recording, and the
// call has no place in anybody's queue.
func TestFeatureCode(t *testing.T) {
	for name, tc := range map[string]struct {
		port   *shifts
		agent  string
		played []string
	}{
		"done":            {&shifts{}, "8001", []string{"code-ready"}},
		"refused":         {&shifts{err: call.ErrLoggedOut}, "8001", []string{"code-ready"}},
		"nobody acts":     {nil, "8001", []string{"code-unknown"}},
		"no agent's call": {&shifts{}, "", []string{"recorded", "code-unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				if tc.port != nil {
					s.x.Shifts = tc.port
				}
				leg := calltest.NewLeg("phone")
				s.x.Serve(t.Context(), call.Incoming{
					Leg: leg, Agent: tc.agent, To: "*22", At: call.Next{Kind: call.Code, Code: "*22"}, Received: time.Now(),
				})
				require.Equal(t, tc.played, leg.Stream().Played())
				end, over := call.EndOf(leg)
				require.True(t, over)
				require.Equal(t, call.System, end.By)
				r := s.records.finished(t)
				require.Equal(t, call.Informed, r.Result)
				require.Equal(t, call.ReasonCode, r.Reason)
				require.Equal(t, call.BySystem, r.Release)
				require.Empty(t, r.Visits)
				require.Empty(t, s.desk.Seats())
				require.Empty(t, r.Recording)
				if tc.port != nil && tc.agent != "" {
					require.Equal(t, []string{"8001 *22"}, tc.port.asked)
				}
			})
		})
	}
}

// TestFeatureCodeHungUp: a phone that does not hear the end has dialled the code all the same.
func TestFeatureCodeHungUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		port := &shifts{}
		s.x.Shifts = port
		leg := calltest.NewLeg("phone")
		time.AfterFunc(500*time.Millisecond, func() { leg.End(call.Far, call.CauseBye) })
		s.x.Serve(t.Context(), call.Incoming{
			Leg: leg, Agent: "8001", To: "*22", At: call.Next{Kind: call.Code, Code: "*22"}, Received: time.Now(),
		})
		require.Len(t, port.asked, 1)
		require.Equal(t, call.ReasonCallerHangup, s.records.finished(t).Reason)
	})
}

// slow is a store whose Finish waits until it is let go.
type slow struct {
	*records
	entered, gate chan struct{}
}

func (s *slow) Finish(ctx context.Context, r call.Record) error {
	close(s.entered)
	<-s.gate
	return s.records.Finish(ctx, r)
}

// TestAnnotate: a code given while the parties talk, when the caller has just left, while the record is being
// written, and afterwards, is in the record in the end.
func TestAnnotate(t *testing.T) {
	one := call.WrapUpCode{Code: "1", Text: "已解决"}
	for _, when := range []string{"in the talk", "in the instant of its end", "while it is written", "afterwards"} {
		t.Run(when, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				books := &slow{records: s.records, entered: make(chan struct{}), gate: make(chan struct{})}
				s.x.Records = books
				var seen []call.Record
				s.x.OnFinished = func(r call.Record) { seen = append(seen, r) }
				caller := calltest.NewLeg("caller")
				var serving sync.WaitGroup
				serving.Go(func() {
					s.x.Serve(t.Context(), call.Incoming{
						Leg: caller, From: "13912345678", At: call.Next{Kind: call.Wait, Queue: "repair"}, Received: time.Now(),
					})
				})
				synctest.Wait()
				require.True(t, s.desk.Seats()[0].Answer("8001", calltest.NewLeg("8001")))
				<-time.After(10 * time.Second)
				synctest.Wait()
				id := s.x.Live()[0].Record.ID
				switch when {
				case "in the talk":
					s.x.Annotate(id, "8001", call.WrapUpCode{Code: "2"})
					s.x.Annotate(id, "8001", one)
					s.x.Annotate(id, "8009", one)
					synctest.Wait()
					require.Equal(t, &one, s.x.Live()[0].Record.Talks[0].Code, "people watching see it at once")
					caller.End(call.Far, call.CauseBye)
				case "in the instant of its end":
					caller.End(call.Far, call.CauseBye)
					s.x.Annotate(id, "8001", one)
				case "while it is written":
					caller.End(call.Far, call.CauseBye)
					<-books.entered
					s.x.Annotate(id, "8001", one)
				default:
					caller.End(call.Far, call.CauseBye)
				}
				close(books.gate)
				serving.Wait()
				if when == "afterwards" {
					s.x.Annotate(id, "8001", one)
				}
				require.Equal(t, &one, s.records.finished(t).Talks[0].Code)
				require.Len(t, seen, 1)
				require.NotNil(t, seen[0].Ended)
			})
		})
	}
}

// TestMadeBy: the agent whose phone made a call, and nobody for a caller's.
func TestMadeBy(t *testing.T) {
	require.Equal(t, "8001", (&call.Record{Trunk: "agent:8001"}).MadeBy())
	require.Empty(t, (&call.Record{Trunk: "city"}).MadeBy())
}
