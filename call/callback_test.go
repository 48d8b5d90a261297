package call_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
	"hotline/store/memstore"
)

const customer = "13912345678"

// backroom is an exchange that calls people back.
type backroom struct {
	*stage
	store     *memstore.Store
	dialer    *calltest.Dialer
	books     books
	events    []call.Event
	ever, now atomic.Bool
	stop      context.CancelFunc
	stopped   chan struct{}
}

func newBackroom(t *testing.T) *backroom {
	t.Helper()
	b := &backroom{stage: newStage(t), store: memstore.New(), dialer: &calltest.Dialer{}}
	b.ever.Store(true)
	b.now.Store(true)
	b.x.Records, b.x.Dialer = &b.books, b.dialer
	b.x.OnEvent = func(e call.Event) { b.events = append(b.events, e) }
	b.x.Callback = call.CallbackOptions{
		Bookings: b.store, Allowed: func(string) (ever, now bool) { return b.ever.Load(), b.now.Load() },
		Tries: 3, Every: 5 * time.Minute, Ring: 30 * time.Second, PerDay: 3, Open: 2,
	}
	b.open()
	t.Cleanup(b.close)
	return b
}

// open begins to call people back, as a process does that has just started.
func (b *backroom) open() {
	ctx, stop := context.WithCancel(context.Background())
	b.stop, b.stopped = stop, make(chan struct{})
	go func() {
		defer close(b.stopped)
		_ = b.x.RunCallbacks(ctx)
	}()
}

// close ends as a process does.
func (b *backroom) close() {
	b.x.HoldCallbacks()
	b.stop()
	<-b.stopped
}

// asks is a caller who has waited since entered and pressed the key; done is closed at the end of the call.
func (b *backroom) asks(in call.Incoming) (done chan struct{}) {
	b.caller = calltest.NewLeg("caller")
	in.Leg, in.Received = b.caller, time.Now()
	in.At = call.Next{Kind: call.Callback, Queue: "repair", Entered: b.start.Add(-time.Minute)}
	done = make(chan struct{})
	go func() {
		defer close(done)
		b.x.Serve(context.Background(), in)
	}()
	synctest.Wait()
	return done
}

var city = call.Incoming{From: customer, To: "96777", Trunk: "city"}

// booked is a backroom in which a caller has asked, and the call that calls them back waits for an agent.
func booked(t *testing.T) *backroom {
	t.Helper()
	b := newBackroom(t)
	done := b.asks(city)
	time.Sleep(5 * time.Second)
	b.caller.Stream().Press('1')
	<-done
	synctest.Wait()
	return b
}

// answered has an agent answer the call that waits for one.
func (b *backroom) answered(agent string) *calltest.Leg {
	l := calltest.NewLeg(agent)
	require.True(b.t, b.seat().Answer(agent, l))
	synctest.Wait()
	return l
}

func (b *backroom) bookings() []call.Booking {
	list, err := b.store.Bookings(context.Background())
	require.NoError(b.t, err)
	require.Equal(b.t, list, b.x.Callbacks(), "what is open is what is known to be")
	return list
}

func (b *backroom) record() call.Record { return b.books.finished(b.t, b.seat().Ticket.CallID) }

func TestCallbackAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := booked(t)
		list := b.bookings()
		require.Len(t, list, 1)
		r := b.books.finished(t, b.caller.Call())
		require.Equal(t, call.End{Result: call.CalledFor, Reason: call.ReasonCallback}, call.End{Result: r.Result, Reason: r.Reason})
		require.Equal(t, list[0].ID, r.Callback)
		require.Empty(t, r.Kind)
		require.Equal(t, []string{"recorded", "callback-confirm", "callback-booked"}, b.caller.Stream().Played())

		ticket := b.seat().Ticket
		require.Equal(t, b.start.Add(-time.Minute), ticket.Entered, "the place is kept")
		require.Equal(t, customer, ticket.From)
		require.Equal(t, "repair", ticket.Queue)
		time.Sleep(30 * time.Second)
		agent := b.answered("8001")
		require.Equal(t, "callback-agent", agent.Stream().Playing())
		time.Sleep(10 * time.Second)
		require.Equal(t, "hold-music", agent.Stream().Playing())
		asked := b.dialer.Asked()
		require.Len(t, asked, 1)
		require.Equal(t, customer, asked[0].Number)
		require.Equal(t, "8001", asked[0].Agent)
		require.Equal(t, ticket.CallID, asked[0].CallID)
		require.Empty(t, asked[0].Caller, "who is called back is not shown their own number")

		leg := calltest.NewLeg("customer")
		require.True(t, b.dialer.Answer(leg))
		synctest.Wait()
		require.Equal(t, "callback-greeting", leg.Stream().Playing())
		require.Empty(t, b.bookings(), "settled before the talk: nobody is called twice")
		time.Sleep(time.Minute)
		require.Equal(t, 1, b.bridge.Joined())
		require.Contains(t, leg.Stream().Played(), "recorded")
		leg.End(call.Far, call.CauseBye)
		synctest.Wait()

		r = b.record()
		require.Equal(t, call.KindCallback, r.Kind)
		require.Equal(t, []string{customer, "96777", list[0].ID, list[0].Origin}, []string{r.From, r.To, r.Callback, r.Origin})
		require.Equal(t, call.Answered, r.Result)
		require.Equal(t, call.ByCaller, r.Release)
		require.Equal(t, "8001", r.Agent)
		require.InDelta(t, 96, r.WaitSeconds, 0.1, "from entering the queue, in the call before")
		require.Nil(t, r.PromiseClock)
		require.Nil(t, r.RingsMet)
		require.Equal(t, asked[0].CallID, leg.Call())
		var s call.Summary
		s.Count(r, time.Minute)
		require.Equal(t, call.Summary{TalkMet: 1}, s)
		require.Empty(t, b.events)
	})
}

// Who does not confirm waits on, at the old place.
func TestCallbackNotConfirmed(t *testing.T) {
	for name, press := range map[string]func(l *calltest.Leg){
		"nothing":     func(*calltest.Leg) { time.Sleep(time.Minute) },
		"another key": func(l *calltest.Leg) { l.Stream().Press('2') },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBackroom(t)
				done := b.asks(city)
				press(b.caller)
				synctest.Wait()
				require.Equal(t, b.start.Add(-time.Minute), b.seat().Ticket.Entered)
				require.Empty(t, b.bookings())
				b.caller.End(call.Far, call.CauseBye)
				<-done
				require.Equal(t, call.Abandoned, b.record().Result)
			})
		})
	}
}

// Who cannot be called back is told, and waits on.
func TestCallbackRefused(t *testing.T) {
	other := call.Booking{ID: "x", Number: customer, Queue: "repair", Asked: time.Now()}
	for name, c := range map[string]struct {
		in      call.Incoming
		prepare func(b *backroom)
		asked   bool
	}{
		"withheld":      {in: call.Incoming{From: customer, Trunk: "city", Private: true}},
		"no number":     {in: call.Incoming{Trunk: "city"}},
		"not asserted":  {in: call.Incoming{From: customer}},
		"hearsay":       {in: call.Incoming{From: customer, Trunk: "city", Unproven: true}},
		"an agent":      {in: call.Incoming{From: "8001", Agent: "8001"}},
		"not allowed":   {in: city, prepare: func(b *backroom) { b.ever.Store(false) }},
		"no dialer":     {in: city, prepare: func(b *backroom) { b.x.Dialer = nil }},
		"none are made": {in: city, prepare: func(b *backroom) { b.x.Callback.Bookings = nil }},
		"open already": {in: city, asked: true, prepare: func(b *backroom) {
			require.NoError(b.t, b.store.Book(context.Background(), other, call.BookingBounds{PerDay: 3, Open: 2}))
		}},
		"none today": {in: city, asked: true, prepare: func(b *backroom) { b.x.Callback.PerDay = 0 }},
		"full":       {in: city, asked: true, prepare: func(b *backroom) { b.x.Callback.Open = 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBackroom(t)
				synctest.Wait()
				if c.prepare != nil {
					c.prepare(b)
				}
				done := b.asks(c.in)
				if c.asked {
					time.Sleep(5 * time.Second)
					b.caller.Stream().Press('1')
				}
				time.Sleep(time.Minute)
				require.Contains(t, b.caller.Stream().Played(), "callback-refused")
				require.Equal(t, c.asked, slices.Contains(b.caller.Stream().Played(), "callback-confirm"))
				require.Len(t, b.desk.Seats(), 1)
				require.Equal(t, b.start.Add(-time.Minute), b.seat().Ticket.Entered)
				b.caller.End(call.Far, call.CauseBye)
				<-done
			})
		})
	}
}

// A number that does not answer is called again later, so often, and then somebody is told. The agent is told each time,
// and has nothing to write up.
func TestCallbackUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := booked(t)
		origin := b.bookings()[0].Origin
		for try := 1; try <= 3; try++ {
			require.Len(t, b.desk.Seats(), try)
			agent := b.answered("8001")
			switch try {
			case 1:
				require.True(t, b.dialer.Fail(call.CauseBusy))
				synctest.Wait()
			case 2:
				time.Sleep(30 * time.Second) // no answer
				synctest.Wait()
			case 3:
				require.True(t, b.dialer.Fail(call.CauseUnreachable))
				synctest.Wait()
			}
			require.Equal(t, "callback-unanswered", agent.Stream().Playing())
			require.Equal(t, calltest.Move{Agent: "8001", Leg: agent.ID(), Call: b.seat().Ticket.CallID}, b.desk.Moves()[try-1])
			time.Sleep(10 * time.Second)
			end, over := call.EndOf(agent)
			require.True(t, over)
			require.Equal(t, call.System, end.By)
			r := b.record()
			require.Equal(t, call.Failed, r.Result)
			require.Equal(t, []call.Reason{call.ReasonBusy, call.ReasonNoAnswer, call.ReasonUnreachable}[try-1], r.Reason)
			require.Empty(t, r.Talks)
			if try < 3 {
				require.Equal(t, try, b.bookings()[0].Tries)
				require.Empty(t, b.events)
				time.Sleep(4 * time.Minute)
				require.Len(t, b.desk.Seats(), try, "not before it is due")
				time.Sleep(time.Minute)
				require.Equal(t, b.start.Add(-time.Minute), b.seat().Ticket.Entered, "the place is kept")
			}
		}
		require.Empty(t, b.bookings())
		require.Len(t, b.events, 1)
		require.Equal(t, call.EventCallbackLost, b.events[0].Kind)
		require.Equal(t, origin, b.events[0].Call)
		time.Sleep(24 * time.Hour)
		require.Len(t, b.desk.Seats(), 3)
	})
}

// An agent who leaves while the number rings leaves the place to another.
func TestCallbackAgentLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := booked(t)
		b.answered("8001").End(call.Far, call.CauseBye)
		synctest.Wait()
		require.Len(t, b.desk.Seats(), 2)
		require.Equal(t, b.start.Add(-time.Minute), b.seat().Ticket.Entered)
		require.False(t, b.dialer.Answer(calltest.NewLeg("nobody")), "taken back")
		b.answered("8002")
		leg := calltest.NewLeg("customer")
		require.True(t, b.dialer.Answer(leg))
		synctest.Wait()
		leg.End(call.Far, call.CauseBye) // in the greeting
		synctest.Wait()
		r := b.record()
		require.Equal(t, call.Abandoned, r.Result)
		require.Equal(t, "8002", r.Talks[0].Agent)
		require.Empty(t, b.bookings(), "answered: not called again")
	})
}

// An agent who leaves in the greeting: the one called waits at the head of the queue, and is told so.
func TestCallbackAgentLeavesInGreeting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := booked(t)
		agent := b.answered("8001")
		leg := calltest.NewLeg("customer")
		require.True(t, b.dialer.Answer(leg))
		synctest.Wait()
		agent.End(call.Far, call.CauseBye)
		synctest.Wait()
		require.True(t, b.seat().Ticket.Front)
		time.Sleep(10 * time.Second)
		require.Contains(t, leg.Stream().Played(), "apology-lost")
		leg.End(call.Far, call.CauseBye)
		synctest.Wait()
		require.Len(t, b.record().Talks, 1)
	})
}
