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

// TestTurnedAwayByANewLimit: the desk takes a new limit up at once, while a caller who waits goes by the settings of
// before, which do not say where that limit leads.
func TestTurnedAwayByANewLimit(t *testing.T) {
	old := call.Settings{Menus: menus{}, Queues: map[string]call.QueueOptions{"repair": {WaitPrompt: "please-wait"}}}
	overflowing := call.Settings{Menus: menus{}, Queues: map[string]call.QueueOptions{
		"bills": {WaitPrompt: "bills"},
		"repair": {WaitPrompt: "please-wait", Overflow: map[call.Overflow]call.Next{
			call.QueueEmpty: {Kind: call.Wait, Queue: "bills"},
		}},
	}}
	t.Run("goes where the new settings say", func(t *testing.T) {
		r, _ := reloading(t, old, overflowing,
			"dial queue repair\nreload\nturn empty\ncaller bye\n")
		require.Equal(t, call.Abandoned, r.Result)
		require.Equal(t, "bills", r.Visits[1].Queue)
	})
	t.Run("said nowhere, waits on in the same place", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := waitingRoom(t, map[string]call.QueueOptions{"repair": {WaitPrompt: "please-wait"}})
			s.enter()
			s.at(7 * time.Second)
			require.True(t, s.seat().Turn(call.QueueTooLong))
			synctest.Wait()
			require.Len(t, s.desk.Seats(), 2)
			require.True(t, s.seat().Ticket.Stay)
			require.Equal(t, s.start, s.seat().Ticket.Entered)
			s.at(9 * time.Second)
			s.heard()
			r := s.records.finished(t)
			require.Equal(t, call.Abandoned, r.Result)
			require.InDelta(t, 9, r.WaitSeconds, 1e-9)
		})
	})
}

// TestNumberOutsideInstead: a number outside that a queue, or a key in it, leads to, and that is not reached, leaves
// the caller in the queue, in the old place.
func TestNumberOutsideInstead(t *testing.T) {
	queues := map[string]call.QueueOptions{"repair": {
		WaitPrompt: "please-wait",
		Overflow:   map[call.Overflow]call.Next{call.QueueTooLong: {Kind: call.Dial, Number: "13900000000"}},
		Treatment:  call.Treatment{Keys: map[media.Key]call.Next{'1': {Kind: call.Dial, Number: "13900000000"}}},
	}}
	for name, leave := range map[string]func(s *stage){
		"turned away": func(s *stage) { s.seat().Turn(call.QueueTooLong) },
		"by key":      func(s *stage) { s.caller.Stream().Press('1') },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := waitingRoom(t, queues)
				dialer := &calltest.Dialer{}
				s.x.Dialer = dialer
				s.enter()
				s.at(10 * time.Second)
				leave(s)
				s.at(15 * time.Second)
				require.True(t, dialer.Fail(call.CauseNoAnswer))
				synctest.Wait()
				require.Equal(t, "number-unreached", s.caller.Stream().Playing())
				s.at(17 * time.Second)
				require.Len(t, s.desk.Seats(), 2, "the caller was dropped")
				require.Equal(t, s.start, s.seat().Ticket.Entered)
				require.Equal(t, name == "turned away", s.seat().Ticket.Stay)
				require.False(t, s.seat().Ticket.Front)
				s.at(20 * time.Second)
				s.heard()
				require.InDelta(t, 20, s.records.finished(t).WaitSeconds, 1e-9)
			})
		})
	}
}

// TestAlarmKeyInTransfer: a caller who is being handed on, and smells gas, takes nobody with them: the agent who asked
// is let go, and can be rung for the alarm.
func TestAlarmKeyInTransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		w.x.Alarm = call.AlarmKey{Key: '*', To: call.Next{Kind: call.Wait, Queue: "gas-alarm"}}
		w.line("call c 13912345678 queue:repair;ring c 8001;answer c 8001")
		w.at(10 * time.Second)
		w.line("refer r 8001@c agent:8002;ring c 8002")
		w.legs["caller@c"].Stream().Press('*')
		synctest.Wait()
		require.Equal(t, "gas-alarm", w.seatOf("c").Ticket.Queue)
		_, over := call.EndOf(w.legs["8001@c"])
		require.True(t, over, "the agent who asked is kept in the call")
		require.Equal(t, string(call.CauseCancel), w.x.Live()[0].Record.Transfers[0].How)
		w.line("end caller@c bye")
		w.wg.Wait()
		w.requireRest()
	})
}

// TestAlarmKeyWhileANumberIsTried: a caller who is being connected with a number outside waits too.
func TestAlarmKeyWhileANumberIsTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		w.x.Alarm = call.AlarmKey{Key: '*', To: call.Next{Kind: call.Wait, Queue: "gas-alarm"}}
		w.line("call c 13912345678 queue:repair;ring c 8001;answer c 8001")
		w.at(10 * time.Second)
		w.line("refer r 8001@c number:13900000000;rings")
		w.legs["caller@c"].Stream().Press('*')
		synctest.Wait()
		require.Equal(t, "gas-alarm", w.seatOf("c").Ticket.Queue)
		_, over := call.EndOf(w.legs["8001@c"])
		require.True(t, over, "the agent who asked is kept in the call")
		w.line("end caller@c bye")
		w.wg.Wait()
		w.requireRest()
	})
}

// TestAlarmKeyInCode: an agent who presses the key while hearing what came of a code has no alarm.
func TestAlarmKeyInCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.x.Alarm = call.AlarmKey{Key: '*', To: call.Next{Kind: call.Wait, Queue: "gas-alarm"}}
		s.caller = calltest.NewLeg("caller")
		go func() {
			defer close(s.done)
			s.x.Serve(context.Background(), call.Incoming{
				Leg: s.caller, At: call.Next{Kind: call.Code, Code: "*22"}, Agent: "8001", From: "8001", To: "*22", Received: time.Now(),
			})
		}()
		synctest.Wait()
		s.caller.Stream().Press('*')
		<-s.done
		r := s.records.finished(t)
		require.Equal(t, call.Informed, r.Result, r.Reason)
	})
}

// figures says figures in words of its own.
type figures struct{ prompts }

func (figures) Number(n int) []media.Clip {
	return []media.Clip{{Name: "english", ALaw: make([]byte, media.SampleRate)}}
}

func (figures) Count(n int) []media.Clip {
	return []media.Clip{{Name: "english", ALaw: make([]byte, media.SampleRate)}}
}

// TestPlaceIsToldInTheCallersLanguage: the figures too.
func TestPlaceIsToldInTheCallersLanguage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := waitingRoom(t, map[string]call.QueueOptions{"repair": {
			WaitPrompt: "please-wait", Treatment: call.Treatment{Position: 5 * time.Second, Expected: true},
		}})
		s.x.Menus = speaking{}
		s.x.Languages = map[string]call.Prompts{"en": figures{}}
		s.enter()
		s.seat().SetPlace(call.Place{Position: 5, Expected: 3 * time.Minute})
		s.at(20 * time.Second)
		require.Equal(t, []string{
			"please-wait", "hold-music", "position-before", "english", "position-after",
			"expected-before", "english", "expected-after", "hold-music",
		}, s.heard())
	})
}

// speaking leads to queue repair, in English.
type speaking struct{}

func (speaking) Walk(_ context.Context, l call.Line, _ string) (call.Next, error) {
	l.Speak("en")
	return call.Next{Kind: call.Wait, Queue: "repair"}, nil
}
