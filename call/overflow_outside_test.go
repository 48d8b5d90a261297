package call_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
	"hotline/media"
)

// overflowing is a queue that leads outside those it turns away for having waited too long.
var overflowing = map[string]call.QueueOptions{"repair": {
	WaitPrompt: "please-wait",
	Overflow:   map[call.Overflow]call.Next{call.QueueTooLong: {Kind: call.Dial, Number: outside}},
	Treatment:  call.Treatment{Keys: map[media.Key]call.Next{'1': {Kind: call.Dial, Number: outside}}},
}}

// TestOverflowAnsweredOutside: whom a number outside has served, to which the queue led, was not answered by an agent:
// that is a result of its own, it counts for neither service level, and the promise is judged by the wait alone.
func TestOverflowAnsweredOutside(t *testing.T) {
	for name, c := range map[string]struct {
		rung   time.Duration // when an agent's phone rang first; 0: none did
		rings  int
		met    *bool
		by     func(s *stage)
		result call.Result
	}{
		"turned away":                        {result: call.Overflowed},
		"turned away before the rings ended": {rung: 12 * time.Second, rings: 2, result: call.Overflowed},
		"turned away after them":             {rung: time.Second, rings: 4, met: new(false), result: call.Overflowed},
		"by a key of the caller's": {
			by: func(s *stage) { s.caller.Stream().Press('1') }, result: call.Answered,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, dialer := waitingRoom(t, overflowing), &calltest.Dialer{}
				s.x.Dialer = dialer
				s.enter()
				if c.rung != 0 {
					s.at(c.rung)
					s.seat().Ring("8001")
				}
				s.at(18 * time.Second)
				if c.by != nil {
					c.by(s)
				} else {
					require.True(t, s.seat().Turn(call.QueueTooLong))
				}
				synctest.Wait()
				require.True(t, dialer.Answer(calltest.NewLeg(outside)))
				s.at(time.Minute)
				s.caller.End(call.Far, call.CauseBye)
				<-s.done
				r := s.records.finished(t)
				require.Equal(t, c.result, r.Result)
				require.Equal(t, call.ReasonCallerHangup, r.Reason)
				require.Len(t, r.Talks, 1)
				require.NotNil(t, r.Joined)
				require.InDelta(t, 18, r.FirstWaitSeconds, 0)
				require.Equal(t, c.rings, r.Rings)
				require.Equal(t, c.met, r.RingsMet)
				var sum call.Summary
				sum.Count(r, 15*time.Second)
				require.Equal(t, 1, sum.Offered)
				if c.result == call.Answered {
					require.Equal(t, 1, sum.Answered)
					return
				}
				require.Nil(t, r.Answered, "no agent did")
				require.Zero(t, sum.Answered+sum.Abandoned+sum.AnsweredWithin+sum.AbandonedAfter)
			})
		})
	}
}

// TestCrashWhileThePlaceIsKept: a process that dies while a number outside is called, to which the queue led, or while
// the caller is asked about a callback, has taken the place of one who had it; one that dies after, has not.
func TestCrashWhileThePlaceIsKept(t *testing.T) {
	turned := func(s *stage, _ *calltest.Dialer) { require.True(s.t, s.seat().Turn(call.QueueTooLong)) }
	for name, c := range map[string]struct {
		lead func(s *stage, d *calltest.Dialer)
		kept bool
	}{
		"while the number rings": {turned, true},
		"led there by a key":     {func(s *stage, _ *calltest.Dialer) { s.caller.Stream().Press('1') }, true},
		"after it has answered": {func(s *stage, d *calltest.Dialer) {
			turned(s, d)
			synctest.Wait()
			require.True(s.t, d.Answer(calltest.NewLeg(outside)))
		}, false},
		"back in the queue": {func(s *stage, d *calltest.Dialer) {
			turned(s, d)
			synctest.Wait()
			require.True(s.t, d.Fail(call.CauseBusy))
			synctest.Wait()
			s.at(11500 * time.Millisecond) // the prompt is over
			s.hears("please-wait")
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, dialer := waitingRoom(t, overflowing), &calltest.Dialer{}
				s.x.Dialer = dialer
				s.enter()
				s.at(10 * time.Second)
				c.lead(s, dialer)
				s.at(12 * time.Second)
				r := s.x.Live()[0].Record // what a store would find
				died := time.Now().Add(time.Second)
				r.CloseCrashed(died)
				p, left := r.LeftPlace()
				require.Equal(t, c.kept, left)
				if c.kept {
					require.Equal(t, call.LeftPlace{Queue: "repair", Number: "13912345678", Entered: s.start, Left: died, CutOff: true}, p)
					require.Equal(t, string(call.ReasonCrash), r.Visits[0].How)
				}
				require.False(t, r.Visits[0].Kept)
				s.caller.End(call.Far, call.CauseBye)
				<-s.done
				require.False(t, s.records.finished(t).Visits[0].Kept)
			})
		})
	}
}
