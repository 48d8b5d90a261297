package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

const (
	// callbackExpires is how old a callback may become: a question is answered within a day, or somebody must be
	// told that it was not.
	callbackExpires = 24 * time.Hour
	// bookWithin bounds how long a call, or the end of one, waits for a booking to be durable.
	bookWithin = 5 * time.Second
)

// callbacks begins a call for each callback that is open, and keeps account of what came of it. Its fields are
// guarded by mu; nothing is waited for while that is held.
type callbacks struct {
	x        *Exchange
	outcomes *prometheus.CounterVec
	wake     chan struct{} // has a token when there is something to look for

	mu   sync.Mutex
	open map[string]*callingBack // by id
	held bool                    // no call is begun any more
	doubts
}

// callingBack is one callback. While it is being served, busy is set, and call is the call that does it, if there
// is one.
type callingBack struct {
	Booking
	busy bool
	call *Call
}

// What becomes of callbacks besides how they are settled: a metric's labels.
const (
	callbackBooked    = "booked"
	callbackRefused   = "refused"
	callbackUnreached = "unreached" // one try
)

func newCallbacks(x *Exchange) (*callbacks, error) {
	k := &callbacks{
		x: x, wake: make(chan struct{}, 1), open: make(map[string]*callingBack),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_callbacks_total", Help: "Callbacks by what became of them; unreached counts tries after which there was another.",
		}, []string{byOutcome}),
	}
	for _, outcome := range []string{
		callbackBooked, callbackRefused, callbackUnreached, CallbackReached, CallbackLost, CallbackCancelled,
	} {
		k.outcomes.WithLabelValues(outcome)
	}
	if x.Registry == nil {
		return k, nil
	}
	return k, errors.Join(x.Registry.Register(k.outcomes), x.Registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hotline_callbacks_open", Help: "Callers who are to be called back.",
	}, func() float64 { return float64(len(x.Callbacks())) })))
}

// RunCallbacks calls back those who asked for it, those of before this start first, until ctx is done; then it
// waits until the calls that it began have ended: see HoldCallbacks. Errors: the store's, when what is open cannot
// be read.
func (x *Exchange) RunCallbacks(ctx context.Context) error {
	k := x.callbacks
	if x.Callback.Bookings == nil {
		<-ctx.Done()
		return nil
	}
	booked, err := k.booked(ctx)
	if err != nil {
		return fmt.Errorf("read the callbacks that are open: %w", err)
	}
	k.mu.Lock()
	for _, b := range booked {
		if k.open[b.ID] == nil { // else booked meanwhile
			k.open[b.ID] = &callingBack{Booking: b}
		}
	}
	k.mu.Unlock()
	var calls sync.WaitGroup
	defer calls.Wait()
	for {
		next, stop := after(k.begin(ctx, &calls))
		select {
		case <-ctx.Done():
			stop()
			calls.Go(k.void)
			return nil
		case <-k.wake:
			stop()
		case <-next:
		}
	}
}

// booked are those that the store has, as soon as it can be asked; none when ctx is done before.
func (k *callbacks) booked(ctx context.Context) ([]Booking, error) {
	for {
		all, err := k.x.Callback.Bookings.Bookings(ctx)
		if ctx.Err() != nil {
			return nil, nil //nolint:nilerr // nobody wants to know any more
		}
		if !errors.Is(err, ErrUnavailable) {
			return all, err
		}
		again := time.NewTimer(voidEvery)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
		}
	}
}

// HoldCallbacks begins no call any more, and ends those that still wait for an agent: they keep their place over a
// restart. Those in which somebody is being called, or talks, go on.
func (x *Exchange) HoldCallbacks() {
	k := x.callbacks
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held = true
	for _, p := range k.open {
		if p.call != nil {
			p.call.post(standDown{Why: ReasonShutdown})
		}
	}
}

// Callbacks are those open, the first due first.
func (x *Exchange) Callbacks() (all []Booking) {
	k := x.callbacks
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.open {
		all = append(all, p.Booking)
	}
	SortBookings(all)
	return all
}

// SortBookings puts them in the order of Bookings.
func SortBookings(all []Booking) {
	slices.SortFunc(all, func(a, b Booking) int {
		return cmp.Or(a.Due.Compare(b.Due), a.Entered.Compare(b.Entered), cmp.Compare(a.ID, b.ID))
	})
}

// CancelCallback takes one back; should its caller be being called, that ends. Errors: ErrNoBooking, also for one
// whose caller has answered, or the store's.
func (x *Exchange) CancelCallback(ctx context.Context, id string) error {
	k := x.callbacks
	k.mu.Lock()
	p := k.open[id]
	k.mu.Unlock()
	if p == nil {
		return ErrNoBooking
	}
	if err := k.x.Callback.Bookings.Settle(ctx, id, CallbackCancelled); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop(p, CallbackCancelled)
	if p.call != nil {
		p.call.post(standDown{Why: ReasonWithdrawn})
	}
	return nil
}

// book writes down that a caller wants to be called back, and has that be done.
func (k *callbacks) book(ctx context.Context, b Booking) error {
	ctx, cancel := context.WithTimeout(ctx, bookWithin)
	defer cancel()
	if err := k.doubtful(k.x.Callback.Open); err != nil {
		return err
	}
	if err := k.x.Callback.Bookings.Book(ctx, b, k.x.Callback.bounds(b.Asked)); err != nil {
		if !errors.Is(err, ErrBooked) && !errors.Is(err, ErrBookedToday) && !errors.Is(err, ErrBookedFull) {
			k.doubt(b.ID)
		}
		return fmt.Errorf("book a callback: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.open[b.ID] = &callingBack{Booking: b}
	k.outcomes.WithLabelValues(callbackBooked).Inc()
	k.tell()
	return nil
}

func (k *callbacks) tell() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// drop forgets a callback that was settled; once. The lock is held.
func (k *callbacks) drop(p *callingBack, how string) {
	if k.open[p.ID] == p {
		delete(k.open, p.ID)
		k.outcomes.WithLabelValues(how).Inc()
	}
}

// begin begins a call for each callback that is due, and returns how long the next one is to be waited for; negative
// for none.
func (k *callbacks) begin(ctx context.Context, calls *sync.WaitGroup) time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, next := time.Now(), time.Duration(-1)
	if left, ok := k.settleDoubts(now, calls); ok {
		next = left
	}
	if k.held || ctx.Err() != nil {
		return next
	}
	for _, p := range k.open {
		if !p.busy && !p.Due.After(now) && !k.ripe(p, now, calls) {
			p.Due = now.Add(k.x.Callback.Every) // not written down: at the next start it is looked at anew
		}
		left := p.Due.Sub(now)
		if p.busy {
			left = p.Asked.Add(callbackExpires).Sub(now)
		}
		switch {
		case left > 0 && (next < 0 || left < next):
			next = left
		case left <= 0 && p.call != nil: // nobody came to answer it; one who is being called is not given up
			p.call.post(standDown{Why: ReasonNoAnswer})
		}
	}
	return next
}

// ripe begins the call of a callback that is due, or gives one up that is too old; false when the number may not be
// called now. The lock is held.
func (k *callbacks) ripe(p *callingBack, now time.Time, calls *sync.WaitGroup) bool {
	ever, may := k.x.Callback.Allowed(p.Number)
	if !ever || now.Sub(p.Asked) >= callbackExpires {
		p.busy = true
		calls.Go(func() { k.lose(p) })
		return true
	}
	if !may {
		return false
	}
	c := k.x.newCallback(p.Booking)
	p.busy, p.call = true, c
	calls.Go(func() { k.serve(p, c) })
	return true
}

// serve runs the call of a callback. As soon as its caller has answered that is written down, so that nobody is
// called twice should the process die in the talk.
func (k *callbacks) serve(p *callingBack, c *Call) {
	over := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-c.found:
			k.settle(p, CallbackReached)
		case <-over:
		}
	})
	Run(context.Background(), c, Next{Kind: Wait, Queue: p.Queue, Entered: p.Entered, Front: p.Front}) // ends by the drain
	close(over)
	watch.Wait()
	k.over(p, c)
}

// over takes account of a try that has ended.
func (k *callbacks) over(p *callingBack, c *Call) {
	switch why := c.rec.Reason; {
	case c.caller != nil: // settled already, unless the store refused
		k.settle(p, CallbackReached)
	case why == ReasonShutdown:
		k.mu.Lock()
		k.held = true
		k.mu.Unlock()
		k.rest(p)
	case why == ReasonWithdrawn:
		k.rest(p)
	case why == ReasonForbidden: // by a bound of the moment: that is no try
		k.putOff(p, p.Tries)
	case p.Tries+1 >= k.x.Callback.Tries, time.Since(p.Asked) >= callbackExpires:
		k.lose(p)
	default: // ReasonNotFound as well: a carrier that has forgotten us may say it of every number
		k.outcomes.WithLabelValues(callbackUnreached).Inc()
		k.putOff(p, p.Tries+1)
	}
}

// lose gives a callback up, and tells those who can do something about it.
func (k *callbacks) lose(p *callingBack) {
	k.x.OnEvent(Event{Kind: EventCallbackLost, At: time.Now(), Call: p.Origin, Queue: p.Queue, From: p.Number})
	k.settle(p, CallbackLost)
}

// settle closes a callback; one that was closed before is only forgotten.
func (k *callbacks) settle(p *callingBack, how string) {
	ctx, cancel := context.WithTimeout(context.Background(), bookWithin)
	defer cancel()
	if err := k.x.Callback.Bookings.Settle(ctx, p.ID, how); err != nil && !errors.Is(err, ErrNoBooking) {
		k.x.Logger.Error("callback not settled; it will be tried again after a restart", zap.String("callback", p.ID), zap.Error(err))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop(p, how)
}

// putOff has a callback be tried again later.
func (k *callbacks) putOff(p *callingBack, tries int) {
	due := time.Now().Add(k.x.Callback.Every)
	ctx, cancel := context.WithTimeout(context.Background(), bookWithin)
	defer cancel()
	if err := k.x.Callback.Bookings.PutOff(ctx, p.ID, tries, due); err != nil && !errors.Is(err, ErrNoBooking) {
		k.x.Logger.Error("callback not put off in the store", zap.String("callback", p.ID), zap.Error(err))
	}
	k.mu.Lock()
	p.Tries, p.Due = tries, due
	k.mu.Unlock()
	k.rest(p)
}

// rest leaves a callback without a call.
func (k *callbacks) rest(p *callingBack) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p.busy, p.call = false, nil
	k.tell()
}

// newCallback is the call that calls somebody back. Its caller comes when they have answered.
func (x *Exchange) newCallback(b Booking) *Call {
	id := uuid.Must(uuid.NewV7()).String()
	now, _ := x.settings()
	return &Call{
		x: x, now: now, id: id, booking: &b, found: make(chan struct{}),
		mailbox: make(chan Command, mailboxSize+2), // see post
		legs:    map[LegID]Leg{},
		log:     x.Logger.With(zap.String("call", id)),
		rec: Record{
			ID: id, Node: x.Node, From: b.Number, To: b.To, Started: time.Now(), Language: b.Language,
			Kind: KindCallback, Callback: b.ID, Origin: b.Origin,
			Visits: []Visit{}, Offers: []Offer{}, Talks: []TalkRecord{},
		},
	}
}

// standDown asks a call that calls somebody back to end: when it was taken back while nobody has answered, else (at a
// shutdown, or too old) if it waits for an agent.
type standDown struct{ Why Reason }

func (standDown) command() {}

// standDown acts on the command.
func (c *Call) standDown(cmd standDown) (next Next, moved bool) {
	if c.caller != nil || cmd.Why != ReasonWithdrawn && c.at.Kind != Wait {
		return Next{}, false
	}
	c.release(BySystem)
	return c.over(cmd.Why), true
}

// waitsNoMore is why a call that calls somebody back is not to wait for an agent, while nobody is on the line; empty:
// it may. Who comes back to the queue may have been busy with a number when it was asked to stand down.
func (c *Call) waitsNoMore() Reason {
	if c.booking == nil || c.caller != nil {
		return ""
	}
	k := c.x.callbacks
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.held:
		return ReasonShutdown
	case time.Since(c.booking.Asked) >= callbackExpires:
		return ReasonNoAnswer
	default:
		return ""
	}
}
