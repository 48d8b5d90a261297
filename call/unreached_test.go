package call_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
	"hotline/media"
)

const outside = "13900000000"

// leadsOut is menus the first of which leads out at once.
func leadsOut(to call.Next) scene {
	return scene{
		"main": func(context.Context, call.Line) (call.Next, error) { return to, nil },
		"after": func(ctx context.Context, l call.Line) (call.Next, error) {
			return call.DoneWith(call.Informed, call.ReasonMenu), l.Say(ctx, "goodbye")
		},
	}
}

// TestNumberOfAMenuNotReached: a caller whom a menu led to a number outside that is not reached, for whatever reason, is
// told, and goes where the menu says; where it says nothing the call ends, and not in silence.
func TestNumberOfAMenuNotReached(t *testing.T) {
	for name, c := range map[string]struct {
		orElse *call.Next
		fail   call.Cause // empty: there is nothing that dials
		queue  string     // where the caller is then; empty: the call ends
		end    call.End
		played []string
	}{
		"to a queue": {
			orElse: &call.Next{Kind: call.Wait, Queue: "repair"}, fail: call.CauseBusy, queue: "repair",
			end:    call.End{Result: call.Abandoned, Reason: call.ReasonCallerHangup},
			played: []string{"hold-music", "recorded", "number-unreached", "please-wait"},
		},
		"not allowed": {
			orElse: &call.Next{Kind: call.Wait, Queue: "repair"}, fail: call.CauseForbidden, queue: "repair",
			end:    call.End{Result: call.Abandoned, Reason: call.ReasonCallerHangup},
			played: []string{"hold-music", "recorded", "number-unreached", "please-wait"},
		},
		"nothing dials": {
			orElse: &call.Next{Kind: call.Wait, Queue: "repair"}, queue: "repair",
			end:    call.End{Result: call.Abandoned, Reason: call.ReasonCallerHangup},
			played: []string{"recorded", "number-unreached", "please-wait"},
		},
		"to a menu": {
			orElse: &call.Next{Kind: call.Menu, Menu: "after"}, fail: call.CauseNoAnswer,
			end:    call.End{Result: call.Informed, Reason: call.ReasonMenu},
			played: []string{"hold-music", "recorded", "number-unreached", "goodbye"},
		},
		"to the end": {
			orElse: &call.Next{Kind: call.Done, End: call.End{Result: call.Informed, Reason: call.ReasonMenu}}, fail: call.CauseDeclined,
			end:    call.End{Result: call.Informed, Reason: call.ReasonMenu},
			played: []string{"hold-music", "recorded", "number-unreached"},
		},
		"nowhere": {
			fail: call.CauseUnreachable, end: call.End{Result: call.Failed, Reason: call.ReasonUnreachable},
			played: []string{"hold-music", "recorded", "number-unreached"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, dialer := newStage(t), &calltest.Dialer{}
				s.x.Menus = leadsOut(call.Next{Kind: call.Dial, Number: outside, Else: c.orElse})
				if c.fail != "" {
					s.x.Dialer = dialer
				}
				s.act("dial", []string{"menu", "main"})
				if c.fail != "" {
					s.at(5 * time.Second)
					require.True(t, dialer.Fail(c.fail))
				}
				s.at(9 * time.Second)
				if c.queue != "" {
					require.Equal(t, c.queue, s.seat().Ticket.Queue)
					require.WithinDuration(t, s.start.Add(8*time.Second), s.seat().Ticket.Entered, 6*time.Second, "a new place")
					s.caller.End(call.Far, call.CauseBye)
				}
				<-s.done
				r := s.records.finished(t)
				ended := call.End{Result: r.Result, Reason: r.Reason}
				require.Equal(t, c.end, ended)
				require.Equal(t, c.played, s.caller.Stream().Played()[:len(c.played)])
			})
		})
	}
}

// TestAlarmKeyWhileNotReached: the key works while the caller is told, and is found in the way.
func TestAlarmKeyWhileNotReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.x.Alarm = alarmStar
		s.x.Menus = leadsOut(call.Next{Kind: call.Dial, Number: outside})
		s.act("dial", []string{"menu", "main"})
		s.at(2500 * time.Millisecond)
		require.Equal(t, "number-unreached", s.caller.Stream().Playing())
		s.caller.Stream().Press('*')
		synctest.Wait()
		require.Equal(t, "gas-alarm", s.seat().Ticket.Queue)
		s.caller.End(call.Far, call.CauseBye)
		<-s.done
		require.Equal(t, "dial/*", s.records.finished(t).MenuPath)
	})
}

// TestWaitingKeys: the keys of a waiting caller lead where those of a menu do; who hangs up by one was told something and
// has not been lost.
func TestWaitingKeys(t *testing.T) {
	keys := map[media.Key]call.Next{
		'1': {Kind: call.Dial, Number: outside},
		'2': call.DoneWith(call.Informed, call.ReasonMenu),
	}
	room := func(t *testing.T) (*stage, *calltest.Dialer) {
		t.Helper()
		s := waitingRoom(t, map[string]call.QueueOptions{"repair": {WaitPrompt: "please-wait", Treatment: call.Treatment{Keys: keys}}})
		d := &calltest.Dialer{}
		s.x.Dialer = d
		s.enter()
		s.at(10 * time.Second)
		return s, d
	}
	t.Run("a number that answers", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, dialer := room(t)
			s.caller.Stream().Press('1')
			synctest.Wait()
			require.Equal(t, outside, dialer.Asked()[0].Number)
			l := calltest.NewLeg(outside)
			s.agents[outside] = l
			require.True(t, dialer.Answer(l))
			s.at(20 * time.Second)
			require.Equal(t, 1, s.bridge.Joined())
			s.caller.End(call.Far, call.CauseBye)
			<-s.done
			r := s.records.finished(t)
			require.Equal(t, call.Answered, r.Result)
			require.Equal(t, "repair/1", r.MenuPath)
		})
	})
	t.Run("a number that does not", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, dialer := room(t)
			s.caller.Stream().Press('1')
			synctest.Wait()
			require.True(t, dialer.Fail(call.CauseBusy))
			synctest.Wait()
			require.Equal(t, "number-unreached", s.caller.Stream().Playing())
			s.at(15 * time.Second)
			require.Len(t, s.desk.Seats(), 2)
			require.Equal(t, s.start, s.seat().Ticket.Entered, "the place is kept")
			s.heard()
		})
	})
	t.Run("the end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, _ := room(t)
			s.caller.Stream().Press('2')
			<-s.done
			r := s.records.finished(t)
			require.Equal(t, call.End{Result: call.Informed, Reason: call.ReasonMenu}, call.End{Result: r.Result, Reason: r.Reason})
			require.Equal(t, "repair/2", r.MenuPath)
		})
	})
}
