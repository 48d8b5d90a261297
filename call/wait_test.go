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

// waitingRoom is an exchange whose queues treat callers as a test says.
func waitingRoom(t *testing.T, queues map[string]call.QueueOptions) *stage {
	t.Helper()
	s := newStage(t)
	for name := range queues {
		s.desk.Queues[name] = true
	}
	x, err := call.NewExchange(call.Options{
		Menus: menus{}, Desk: s.desk, Bridge: s.bridge, Records: s.records, Prompts: prompts{}, Queues: queues,
		Targets: call.Targets{Rings: 3, Cycle: 5 * time.Second, Talk: 3 * time.Minute},
		OnPanic: func(string, any) { s.panics++ },
	})
	require.NoError(t, err)
	s.x = x
	return s
}

// enter has a caller come to queue repair by way of a menu, so that the caller hears what is said.
func (s *stage) enter() {
	s.t.Helper()
	s.caller = calltest.NewLeg("caller")
	_, err := s.caller.Answer()
	require.NoError(s.t, err)
	go func() {
		defer close(s.done)
		s.x.Serve(context.Background(), call.Incoming{
			Leg: s.caller, At: call.Next{Kind: call.Menu, Menu: "to repair"}, From: "13912345678", To: "96777", Trunk: "city",
			Received: time.Now(),
		})
	}()
	synctest.Wait()
}

// at lets time pass up to so much after the beginning.
func (s *stage) at(d time.Duration) {
	<-time.After(d - time.Since(s.start))
	synctest.Wait()
}

// heard ends the call, and is what the caller heard.
func (s *stage) heard() []string {
	s.caller.End(call.Far, call.CauseBye)
	<-s.done
	return s.caller.Stream().Played()
}

func (s *stage) hears(what string) { require.Equal(s.t, what, s.caller.Stream().Playing()) }

func TestPlaceIsToldWhenItGotBetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := waitingRoom(t, map[string]call.QueueOptions{"repair": {
			WaitPrompt: "please-wait", Treatment: call.Treatment{Position: 30 * time.Second, Expected: true},
		}})
		s.enter()
		place := func(position int, expected time.Duration) {
			s.seat().SetPlace(call.Place{Position: position, Expected: expected})
		}
		s.at(29 * time.Second) // nothing is known yet: the desk did not answer
		place(5, -1)
		s.at(30 * time.Second)
		s.hears("position-before") // at once, for there was music
		s.at(59 * time.Second)
		place(5, 4*time.Minute+29*time.Second)
		s.at(60 * time.Second)
		s.hears("expected-before") // the place is the same
		s.at(89 * time.Second)
		place(4, 10*time.Minute)
		s.at(90 * time.Second)
		s.hears("position-before") // and the wait got longer
		s.at(119 * time.Second)
		place(6, 3*time.Minute+30*time.Second)
		s.at(120 * time.Second)
		s.hears("hold-music") // nothing got better: 3 m 30 s is about 4 minutes
		s.at(149 * time.Second)
		place(3, 59*time.Second)
		s.at(150 * time.Second)
		s.at(200 * time.Second)
		said := []string{}
		for _, name := range s.heard() {
			if name != "hold-music" && name != "please-wait" {
				said = append(said, name)
			}
		}
		require.Equal(t, []string{
			"position-before", "5", "position-after",
			"expected-before", "4", "expected-after",
			"position-before", "4", "position-after",
			"position-before", "3", "position-after", "expected-soon",
		}, said)
	})
}

// TestNewsWaitsForWords: what falls due while something is said follows it; the music gives way, and begins anew.
func TestNewsWaitsForWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := waitingRoom(t, map[string]call.QueueOptions{"repair": {
			WaitPrompt: "please-wait", Treatment: call.Treatment{
				Music: "own-music",
				Prompts: []call.TimedPrompt{
					{Prompt: "we-know", Every: 4 * time.Second},
					{Prompt: "web-site", Every: 4500 * time.Millisecond}, // falls due while the first is said
				},
			},
		}})
		s.enter()
		s.at(3999 * time.Millisecond)
		s.hears("own-music")
		s.at(4 * time.Second)
		s.hears("we-know")
		s.at(4999 * time.Millisecond)
		s.hears("we-know")
		s.at(5 * time.Second)
		s.hears("web-site")
		s.at(6 * time.Second)
		s.hears("own-music")
		s.at(8500 * time.Millisecond)
		require.Equal(t, []string{
			"please-wait", "own-music", "we-know", "web-site", "own-music", "we-know",
		}, s.heard())
	})
}

// TestAnswerInterruptsAtOnce: in the midst of a prompt that fell due, the agent's number is spoken in the instant of
// the answer.
func TestAnswerInterruptsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := waitingRoom(t, map[string]call.QueueOptions{"repair": {
			WaitPrompt: "please-wait",
			Treatment:  call.Treatment{Prompts: []call.TimedPrompt{{Prompt: "we-know", Every: 4 * time.Second}}},
		}})
		s.enter()
		s.at(4123 * time.Millisecond)
		s.hears("we-know")
		s.act("ring", []string{"8001"})
		s.act("answer", []string{"8001"})
		synctest.Wait()
		s.hears("agent-number-before")
		s.at(7123 * time.Millisecond) // the number: 1 s before, 1 s of digits, 1 s after
		require.Equal(t, 1, s.bridge.Joined())
		s.heard()
		r := s.records.finished(t)
		require.Equal(t, 7123*time.Millisecond, r.Joined.Sub(s.start))
		require.Equal(t, 4123*time.Millisecond, r.Answered.Sub(s.start))
	})
}

// TestKeysWhileWaiting: a key leads elsewhere, one that means nothing leads nowhere, and one pressed in the instant of
// the answer is ignored.
func TestKeysWhileWaiting(t *testing.T) {
	queues := map[string]call.QueueOptions{
		"repair": {WaitPrompt: "please-wait", Treatment: call.Treatment{Keys: map[media.Key]call.Next{
			'1': {Kind: call.Wait, Queue: "gas-alarm"},
			'2': {Kind: call.Callback},
		}}},
		"gas-alarm": {WaitPrompt: "gas-safety"},
	}
	t.Run("elsewhere", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := waitingRoom(t, queues)
			s.enter()
			s.at(time.Second)
			s.caller.Stream().Press('7')
			s.at(2 * time.Second)
			require.Len(t, s.desk.Seats(), 1)
			s.caller.Stream().Press('1')
			synctest.Wait()
			require.Equal(t, "gas-alarm", s.seat().Ticket.Queue)
			require.Equal(t, time.Now(), s.seat().Ticket.Entered)
			require.Equal(t, []call.Cause{call.CauseWithdrawn}, s.desk.Left())
			s.hears("gas-safety")
			s.heard()
			require.Equal(t, "repair/1", s.records.finished(t).MenuPath)
		})
	})
	t.Run("a callback keeps the place", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := waitingRoom(t, queues)
			var asked call.Next
			call.SetStage(s.x, call.Callback, func(_ context.Context, _ *call.Call, at call.Next) call.Next {
				<-time.After(5 * time.Second) // the caller thinks about it, and says no
				asked = at
				return call.Next{Kind: call.Wait, Queue: at.Queue, Entered: at.Entered, Front: at.Front}
			})
			s.enter()
			s.at(20 * time.Second)
			s.caller.Stream().Press('2')
			s.at(21 * time.Second)
			require.Equal(t, "callback", s.x.Live()[0].Record.Visits[0].How)
			s.at(25 * time.Second)
			require.Equal(t, call.Next{Kind: call.Callback, Queue: "repair", Entered: s.start}, asked)
			require.Equal(t, s.start, s.seat().Ticket.Entered)
			s.at(30 * time.Second)
			s.heard()
			r := s.records.finished(t)
			require.Len(t, r.Visits, 1, "one stay, that went on")
			require.InDelta(t, 30, r.WaitSeconds, 1e-9)
		})
	})
	t.Run("the answer was first", func(t *testing.T) {
		for i := range 40 { // which of the two its owner sees first is left to chance
			key := []media.Key{'1', '2'}[i%2]
			synctest.Test(t, func(t *testing.T) {
				s := waitingRoom(t, queues)
				s.enter()
				s.at(time.Second)
				seat := s.seat()
				agent := calltest.NewLeg("8001")
				seat.Ring("8001")
				synctest.Wait()
				seat.AnswerAfter(func() { s.caller.Stream().Press(key) }, "8001", agent)
				synctest.Wait()
				require.Equal(t, call.Talk, s.x.Live()[0].At)
				_, over := call.EndOf(agent)
				require.False(t, over)
				s.heard()
			})
		}
	})
}

// TestTurnedAwayToNobody: a number outside that a queue sends its callers to and that cannot be reached gives them
// back to the queue, which keeps them.
func TestTurnedAwayToNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := waitingRoom(t, map[string]call.QueueOptions{"repair": {
			WaitPrompt: "please-wait",
			Overflow:   map[call.Overflow]call.Next{call.QueueFull: {Kind: call.Dial, Number: "13900000000"}},
		}})
		dialer := &calltest.Dialer{}
		s.x.Dialer = dialer
		s.enter()
		require.True(t, s.seat().Turn(call.QueueFull))
		synctest.Wait()
		require.Len(t, dialer.Asked(), 1)
		require.True(t, dialer.Fail(call.CauseBusy))
		s.at(5 * time.Second)
		require.Len(t, s.x.Live(), 1)
		require.Equal(t, call.Wait, s.x.Live()[0].At)
		require.Equal(t, "repair", s.seat().Ticket.Queue)
		require.True(t, s.seat().Ticket.Stay)
		require.False(t, s.seat().Ticket.Front)
		s.heard()
		require.Equal(t, call.Abandoned, s.records.finished(t).Result)
	})
}

// TestTurnedAway: the queue says where to, and a chain of queues that turn a caller away ends: the one that it leads
// back to keeps the caller. A key begins another chain.
func TestTurnedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := func(queue string) map[call.Overflow]call.Next {
			return map[call.Overflow]call.Next{call.QueueFull: {Kind: call.Wait, Queue: queue}}
		}
		s := waitingRoom(t, map[string]call.QueueOptions{
			"repair": {WaitPrompt: "please-wait", Overflow: to("consult"), Treatment: call.Treatment{
				Keys: map[media.Key]call.Next{'1': {Kind: call.Wait, Queue: "consult"}},
			}},
			"consult": {WaitPrompt: "please-wait", Overflow: to("repair")},
		})
		s.enter()
		turned := func(queue string, stays bool) {
			t.Helper()
			require.Equal(t, queue, s.seat().Ticket.Queue)
			require.Equal(t, stays, s.seat().Ticket.Stay)
			require.True(t, s.seat().Ticket.Asserted)
		}
		turned("repair", false)
		require.True(t, s.seat().Turn(call.QueueFull))
		synctest.Wait()
		turned("consult", false)
		require.True(t, s.seat().Turn(call.QueueFull))
		synctest.Wait()
		turned("repair", true)
		s.caller.Stream().Press('1')
		synctest.Wait()
		turned("consult", false)
		require.True(t, s.seat().Turn(call.QueueFull))
		synctest.Wait()
		turned("repair", false)
		s.heard()
		var hows []string
		for _, v := range s.records.finished(t).Visits {
			hows = append(hows, v.Queue+" "+v.How+" "+string(v.Overflow))
		}
		require.Equal(t, []string{
			"repair overflow full", "consult overflow full", "repair abandoned ", "consult overflow full", "repair abandoned ",
		}, hows)
	})
}
