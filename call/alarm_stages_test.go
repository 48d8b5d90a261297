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

// The alarm's tone is heard by an agent who waits for the caller of a callback, while it rings and in the greeting, and
// not by who is called.
func TestAlarmIsHeardInACallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := booked(t)
		agent := b.answered("8001")
		b.x.PostAll(call.AlarmWaits{})
		synctest.Wait()
		require.Len(t, agent.Stream().Tones(), 1, "the number rings")
		leg := calltest.NewLeg("customer")
		require.True(t, b.dialer.Answer(leg))
		synctest.Wait()
		require.Equal(t, "callback-greeting", leg.Stream().Playing())
		b.x.PostAll(call.AlarmWaits{})
		synctest.Wait()
		require.Len(t, agent.Stream().Tones(), 2, "in the greeting")
		require.Empty(t, leg.Stream().Tones())
		leg.End(call.Far, call.CauseBye)
		synctest.Wait()
	})
}

// The alarm's tone is heard, once, by an agent who has asked for a transfer and waits for what becomes of it: of a person, of
// a number outside, and of the party of a consultation, whose two agents hear it too.
func TestAlarmIsHeardInATransfer(t *testing.T) {
	for name, c := range map[string]struct {
		doings string
		tones  map[string]int
	}{
		"to an agent": {"refer r 8001@c agent:8002;ring c 8002", map[string]int{"8001@c": 1, "caller@c": 0}},
		"to a number": {"refer r 8001@c number:13900000000;rings", map[string]int{"8001@c": 1, "caller@c": 0}},
		"a consultation": {
			"hold 8001@c;call own by=8001 agent:8002;ring own 8002;answer own 8002",
			map[string]int{"8001@c": 1, "caller@c": 0, "caller@own": 1, "8002@own": 1},
		},
		"a consultation that rings": {
			"hold 8001@c;call own by=8001 agent:8002;ring own 8002",
			map[string]int{"8001@c": 1, "caller@c": 0, "caller@own": 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTown(t)
				w.line("call c 13912345678 queue:repair;ring c 8001;answer c 8001")
				w.at(10 * time.Second)
				w.line(c.doings)
				w.x.PostAll(call.AlarmWaits{})
				synctest.Wait()
				for leg, tones := range c.tones {
					require.Len(t, w.legs[leg].Stream().Tones(), tones, leg)
				}
				for _, leg := range []string{"caller@own", "caller@c"} {
					if w.legs[leg] != nil {
						w.legs[leg].End(call.Far, call.CauseBye)
					}
				}
				w.wg.Wait()
				w.requireRest()
			})
		})
	}
}

var alarmStar = call.AlarmKey{Key: '*', To: call.Next{Kind: call.Wait, Queue: "gas-alarm"}}

// TestAlarmKeyInATalk: who talks to an agent, or is put on hold by one who consults another, has somebody to tell of
// it: the key does nothing. Nor does it in the phone of an agent, whoever that calls.
func TestAlarmKeyInATalk(t *testing.T) {
	for name, c := range map[string]struct{ doings, presses string }{
		"talking":                     {"", "caller@c"},
		"agent's phone":               {"", "8001@c"},
		"on hold":                     {"hold 8001@c", "caller@c"},
		"consultation rings, caller":  {"hold 8001@c;call own by=8001 agent:8002;ring own 8002", "caller@c"},
		"consultation rings, maker":   {"hold 8001@c;call own by=8001 agent:8002;ring own 8002", "caller@own"},
		"consultation, maker":         {"hold 8001@c;call own by=8001 agent:8002;ring own 8002;answer own 8002", "caller@own"},
		"consultation, who is asked":  {"hold 8001@c;call own by=8001 agent:8002;ring own 8002;answer own 8002", "8002@own"},
		"number outside rings, maker": {"hold 8001@c;call own by=8001 number:13900000000;rings", "caller@own"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTown(t)
				w.x.Alarm = alarmStar
				w.line("call c 13912345678 queue:repair;ring c 8001;answer c 8001")
				w.at(10 * time.Second)
				if c.doings != "" {
					w.line(c.doings)
				}
				seats := len(w.desk.Seats())
				w.legs[c.presses].Stream().Press('*')
				synctest.Wait()
				require.Len(t, w.desk.Seats(), seats, "taken for an alarm")
				_, over := call.EndOf(w.legs["8001@c"])
				require.False(t, over)
				for _, leg := range []string{"caller@own", "caller@c"} {
					if w.legs[leg] != nil {
						w.legs[leg].End(call.Far, call.CauseBye)
					}
				}
				w.wg.Wait()
				w.requireRest()
			})
		})
	}
}

// TestAlarmKeyInACallback: a caller who is asked whether to be called back, or is told that it cannot be, has the key;
// and so does one who is called back and waits for another agent. Who hears the greeting has an agent on the line.
func TestAlarmKeyInACallback(t *testing.T) {
	t.Run("asked", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBackroom(t)
			b.x.Alarm = alarmStar
			done := b.asks(city)
			b.caller.Stream().Press('*')
			synctest.Wait()
			require.Equal(t, "gas-alarm", b.seat().Ticket.Queue)
			require.Empty(t, b.bookings())
			b.caller.End(call.Far, call.CauseBye)
			<-done
		})
	})
	t.Run("refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBackroom(t)
			b.x.Alarm = alarmStar
			b.ever.Store(false)
			done := b.asks(city)
			b.at(2500 * time.Millisecond) // the notice of recording is before it
			require.Equal(t, "callback-refused", b.caller.Stream().Playing())
			b.caller.Stream().Press('*')
			synctest.Wait()
			require.Equal(t, "gas-alarm", b.seat().Ticket.Queue)
			b.caller.End(call.Far, call.CauseBye)
			<-done
		})
	})
	t.Run("greeting, and then without an agent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := booked(t)
			b.x.Alarm = alarmStar
			agent := b.answered("8001")
			leg := calltest.NewLeg("customer")
			require.True(t, b.dialer.Answer(leg))
			synctest.Wait()
			leg.Stream().Press('*')
			synctest.Wait()
			require.Len(t, b.desk.Seats(), 1, "the agent is there")
			agent.End(call.Far, call.CauseBye)
			synctest.Wait()
			require.Len(t, b.desk.Seats(), 2)
			leg.Stream().Press('*')
			synctest.Wait()
			require.Equal(t, "gas-alarm", b.seat().Ticket.Queue)
			leg.End(call.Far, call.CauseBye)
			synctest.Wait()
		})
	})
}

// TestCallbackNotBookedThenShutdown: a hotline that closes while a caller thinks about being called back has not been
// abandoned, and the place can be taken up again.
func TestCallbackNotBookedThenShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackroom(t)
		b.x.Queues["repair"] = call.QueueOptions{
			WaitPrompt: "please-wait", Treatment: call.Treatment{Keys: map[media.Key]call.Next{'2': {Kind: call.Callback}}},
		}
		b.caller = calltest.NewLeg("caller")
		done := make(chan struct{})
		go func() {
			defer close(done)
			in := city
			in.Leg, in.Received, in.At = b.caller, time.Now(), call.Next{Kind: call.Route, Queue: "repair"}
			b.x.Serve(context.Background(), in)
		}()
		b.at(10 * time.Second)
		b.caller.Stream().Press('2')
		b.at(10500 * time.Millisecond)
		require.Equal(t, "callback-confirm", b.caller.Stream().Playing())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.Equal(t, 1, b.x.Drain(ctx))
		<-done
		r := b.books.finished(t, b.caller.Call())
		require.Equal(t, call.ReasonShutdown, r.Reason)
		require.Len(t, r.Visits, 1)
		require.Equal(t, string(call.ReasonShutdown), r.Visits[0].How)
		place, ok := r.LeftPlace()
		require.True(t, ok)
		require.True(t, place.CutOff)
	})
}
