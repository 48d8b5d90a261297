package call

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"hotline/media"
)

// Targets are the two promises, and what else is watched while it can still be acted on. A time of 0 is not
// watched.
type Targets struct {
	Rings int           // an agent's phone is answered within so many rings
	Cycle time.Duration // one ring, sound and silence
	Talk  time.Duration // a call is solved within this
	// TalkWarn is the talk after which the agent hears a soft tone; another follows at Talk.
	TalkWarn time.Duration
	Hold     time.Duration // one hold is no longer than this
	Wait     time.Duration // the service level's: a call is answered within this
}

// QueueOptions are what a waiting call needs to know of a queue.
type QueueOptions struct {
	WaitPrompt string // said while waiting, again and again
	// Alarm: it is the alarms', whose callers are rung for by their ladder.
	Alarm bool
	// Whisper: agents hear the queue and the wait before they are joined with a caller of it.
	Whisper bool
	// Survey is the menu that callers go to whom the agent hands over to it; empty: there is none. With
	// SurveyAfterHangup the agent does so by hanging up.
	Survey            string
	SurveyAfterHangup bool
	// Overflow is where callers go whom the queue turns away; the desk does so only for the reasons here.
	Overflow map[Overflow]Next
	Treatment
}

// Options of an Exchange. The ports are all required; a nil Registry or Logger is silent. What [Settings] has
// too is read through a call's own now, since a reload changes it.
type Options struct {
	// Node is this node's name, for the records of its calls, where there are several; empty: it is alone.
	Node     string
	Menus    Menus
	Desk     Desk
	Dialer   Dialer // nil: no number outside is called
	Shifts   Shifts // nil: feature codes do nothing
	Callback CallbackOptions
	Survey   SurveyOptions
	// Supervision is how supervisors hear talks, and Supervisors are the ids of their phones.
	Supervision SuperviseOptions
	Supervisors map[string]bool
	Bridge      Bridger
	Listener    Listener // nil: no messages are taken
	Recorder    Recorder // nil: nothing is recorded, and nothing is said of recording
	Records     Records
	Prompts     Prompts
	// Languages are prompts by the tags of the languages that a menu may choose, each complete by itself.
	Languages map[string]Prompts
	// Alarm is the key that leads to the gas alarm from everywhere in menus.
	Alarm   AlarmKey
	Queues  map[string]QueueOptions
	Targets Targets
	// Shed is what callers hear who were let in as [Incoming].Shed, by the menu that the number leads to.
	Shed map[string]ShedMenu
	// OnEvent is told what can still be acted on, on the goroutine of the call; it must not block. It may be nil.
	OnEvent func(Event)
	// OnFinished is given the record of each call that has ended, before it is written, on the goroutine of the
	// call; it must not block. It may be nil.
	OnFinished func(Record)
	// OnPlaceLeft is told of a place in a queue that a caller kept without a seat, and left: during the question about a
	// callback, or while a number outside was called. Those left in a seat the desk knows itself. It is called on the
	// goroutine of the call, and must not block. It may be nil.
	OnPlaceLeft func(LeftPlace)
	// OnPanic is told of a fault contained to one call.
	OnPanic  func(where string, v any)
	Logger   *zap.Logger
	Registry prometheus.Registerer
}

// Exchange owns the calls in progress: it begins each, knows them by id, and ends them at shutdown.
// Its methods may be called from any goroutine.
type Exchange struct {
	Options
	metrics   *metrics
	callbacks *callbacks
	stages    map[Kind]stage

	reloads     sync.Mutex // held by Reload
	generations atomic.Pointer[generations]

	mu    sync.Mutex
	calls map[string]*Call
	cut   bool      // no call may go on
	idle  sync.Cond // signalled when calls becomes empty

	supervisors supervisors

	legMu sync.Mutex // guards legs; nothing is called while it is held
	legs  map[LegID]owner
}

// owner is the call that owns a leg, and whether the leg is its caller's.
type owner struct {
	call   *Call
	caller bool
	by     string // the agent who made the call, if one did: of the call itself that is its own goroutine's to read
}

// NewExchange makes an Exchange with no calls.
func NewExchange(o Options) (*Exchange, error) {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.OnPanic == nil {
		o.OnPanic = func(string, any) {}
	}
	if o.OnEvent == nil {
		o.OnEvent = func(Event) {}
	}
	if o.OnFinished == nil {
		o.OnFinished = func(Record) {}
	}
	if o.OnPlaceLeft == nil {
		o.OnPlaceLeft = func(LeftPlace) {}
	}
	m, err := newMetrics(o.Registry, o.Queues)
	if err != nil {
		return nil, err
	}
	x := &Exchange{Options: o, metrics: m, stages: stages, calls: make(map[string]*Call), legs: make(map[LegID]owner)}
	x.idle.L = &x.mu
	if x.callbacks, err = newCallbacks(x); err != nil {
		return nil, err
	}
	return x, nil
}

// Serve runs an incoming call to its end: it returns when the record is written.
func (x *Exchange) Serve(ctx context.Context, in Incoming) {
	c := x.newCall(in)
	in.Leg.Belongs(c.id)
	in.Leg.Attach(c.post)
	if in.Shed {
		in.At = Next{Kind: Shed, Menu: in.At.Menu}
	}
	Run(ctx, c, in.At)
}

func (x *Exchange) newCall(in Incoming) *Call {
	id := uuid.Must(uuid.NewV7()).String()
	now, _ := x.settings()
	c := &Call{
		x: x, now: now, id: id, caller: in.Leg,
		by:      in.Agent,
		mailbox: make(chan Command, mailboxSize+2), // see post
		legs:    map[LegID]Leg{in.Leg.ID(): in.Leg},
		log:     x.Logger.With(zap.String("call", id)),
		rec: Record{
			ID: id, Node: x.Node, From: in.From, To: in.To, Trunk: in.Trunk, Started: in.Received,
			Private: in.Private, Unproven: in.Unproven, Diverted: in.Diverted,
			Visits: []Visit{}, Offers: []Offer{}, Talks: []TalkRecord{},
		},
	}
	if in.Agent != "" {
		c.rec.Trunk = agentTrunk + in.Agent
	}
	return c
}

// Post puts a command in a call's mailbox. It reports whether the call exists and had room.
func (x *Exchange) Post(id string, cmd Command) bool {
	x.mu.Lock()
	c := x.calls[id]
	x.mu.Unlock()
	return c != nil && c.post(cmd)
}

// PostAll puts a command in the mailbox of every call that has room.
func (x *Exchange) PostAll(cmd Command) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, c := range x.calls {
		c.post(cmd)
	}
}

// Live returns the calls in progress, the oldest first.
func (x *Exchange) Live() []Live {
	x.mu.Lock()
	live := make([]Live, 0, len(x.calls))
	for _, c := range x.calls {
		if l := c.live.Load(); l != nil {
			live = append(live, *l)
		}
	}
	x.mu.Unlock()
	slices.SortFunc(live, func(a, b Live) int {
		return cmp.Or(a.Record.Started.Compare(b.Record.Started), cmp.Compare(a.Record.ID, b.Record.ID))
	})
	return live
}

// Drain waits until no call is left. When ctx is done first, the calls that are left are hung up with
// ReasonShutdown, as is any that comes later, and Drain waits for their records. It returns how many
// had to be hung up.
func (x *Exchange) Drain(ctx context.Context) (cut int) {
	defer context.AfterFunc(ctx, func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.cut = true
		for _, c := range x.calls {
			cut++
			c.cut()
		}
	})()
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.calls) > 0 {
		x.idle.Wait()
	}
	return cut
}

// own notes whose a leg is from now on.
func (x *Exchange) own(l LegID, c *Call) {
	x.legMu.Lock()
	defer x.legMu.Unlock()
	x.legs[l] = owner{call: c, caller: c.caller != nil && c.caller.ID() == l, by: c.by}
}

// disown forgets a leg, unless it is another call's by now.
func (x *Exchange) disown(l LegID, c *Call) {
	x.legMu.Lock()
	defer x.legMu.Unlock()
	if x.legs[l].call == c {
		delete(x.legs, l)
	}
}

// ownerOf is the call that owns a leg.
func (x *Exchange) ownerOf(l LegID) (owner, bool) {
	x.legMu.Lock()
	defer x.legMu.Unlock()
	o, ok := x.legs[l]
	return o, ok
}

func (x *Exchange) add(c *Call) {
	for l := range c.legs {
		x.own(l, c)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.calls[c.id] = c
	if x.cut { // it slipped in while the door was being closed
		c.cut()
	}
}

func (x *Exchange) remove(c *Call) {
	for l := range c.legs { // none, unless a fault kept one from being dropped
		x.disown(l, c)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.calls, c.id)
	c.contained("notes", c.annotateLate)
	if len(x.calls) == 0 {
		x.idle.Broadcast()
	}
}

// Bridger joins streams: two, or several. media.Engine is one.
type Bridger interface {
	Bridge(a, b media.Stream, tap media.Tap) (unbridge func(), err error)
	Mix(tap media.Tap, parties ...media.Party) (media.Room, error)
}
