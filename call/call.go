package call

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"hotline/media"
)

// Call is one caller's visit, or one callback, from its first event to its record. Everything in it
// belongs to the goroutine that runs Run, but for the mailbox, which anybody may post to, and live,
// the copy that others read.
type Call struct {
	x   *Exchange
	now *Options // the settings that this call goes by, see takeUp
	id  string
	log *zap.Logger

	postMu  sync.Mutex // guards shut and notes, and lets nothing into the mailbox after it
	shut    bool
	notes   map[string]WrapUpCode // by agent, to be written into the record
	mailbox chan Command

	at        Next
	caller    Leg    // nil before a callback reached its caller
	by        string // the agent whose phone the caller's leg is; empty for a caller's own
	shown     string // who the caller's leg is of, where that is not who made the call; see become
	legs      map[LegID]Leg
	keys      []media.Key // pressed by the caller and not taken yet
	own       []media.Key // that the menu being walked has a use of its own for
	turnedBy  []string    // the queues that turned the call away, see chose
	faultsIn  []string    // those of which a fault of the desk's was the reason
	moved     Next        // where a command sent the call, with ErrMoved
	rec       Record
	recording Recording
	message   Recording // of the message left last, closed; nil while there is none
	held      bool      // as the record has it
	spurned   spurned   // whose transfer was not to be, last
	transfer  *transfer // under way; nil when there is none
	// apologised: the caller was told that the first promise was broken.
	apologised bool
	told       *told // nil before any
	watch      watch // for what was promised
	// booking is what the call is for that calls somebody back; found is closed when they have answered.
	booking *Booking
	found   chan struct{}

	live atomic.Pointer[Live]
}

// ID of the call, everywhere the same.
func (c *Call) ID() string { return c.id }

// post puts a command in the mailbox, unless it is full or the call is over. The one answer that a call may
// be waiting for, LetGone, and its own timer's wake-up have a place of their own, so that they are lost only by
// a call that is over.
func (c *Call) post(cmd Command) bool {
	c.postMu.Lock()
	defer c.postMu.Unlock()
	_, awaited := cmd.(LetGone)
	_, timed := cmd.(due)
	if c.shut || len(c.mailbox) >= mailboxSize && !awaited && !timed {
		return false
	}
	select {
	case c.mailbox <- cmd:
		return true
	default:
		return false
	}
}

// cut makes room for a HangUp even in a full mailbox: at shutdown nothing else matters.
func (c *Call) cut() {
	c.postMu.Lock()
	defer c.postMu.Unlock()
	for !c.shut {
		select {
		case c.mailbox <- HangUp{Why: ReasonShutdown}:
			return
		default:
		}
		select {
		case cmd := <-c.mailbox:
			refuse(cmd)
		default:
		}
	}
}

// refuse answers a command that nobody will act on.
func refuse(cmd Command) {
	switch cmd := cmd.(type) {
	case Reoffered:
		cmd.Refuse(CauseShutdown)
	case Referred:
		cmd.Referral.Refuse(CauseShutdown)
	case LetGo:
		cmd.Reply(LetGone{})
	case LetGone:
		if cmd.Answer.Leg != nil {
			cmd.Answer.Leg.Hangup(CauseBye)
		}
	case Supervise:
		cmd.Reply(ErrNotTalking)
	case Picked:
		cmd.Reply(ErrNotWaiting)
	case SetMode:
		cmd.Reply(ErrEngaged)
	}
}

// handle acts on a command that means the same in every stage. It returns where the call goes, if
// the command moves it.
func (c *Call) handle(cmd Command) (next Next, moved bool) {
	switch cmd := cmd.(type) {
	case KeyPressed:
		if c.caller != nil && cmd.Leg == c.caller.ID() && len(c.keys) < mailboxSize {
			c.keys = append(c.keys, cmd.Key)
		}
	case Reoffered:
		if _, ours := c.legs[cmd.Leg]; !ours {
			cmd.Refuse(CauseError)
			break
		}
		held, err := cmd.Accept()
		if err != nil {
			c.log.Info("re-offer not accepted", zap.String("leg", string(cmd.Leg)), zap.Error(err))
			break
		}
		c.heldBy(cmd.Leg, held, cmd.At)
	case MediaChanged:
		c.heldBy(cmd.Leg, cmd.Held, cmd.At)
	case AudioFact:
		c.heard(cmd)
	case Referred:
		c.referred(cmd)
	case LetGo:
		return c.letGo(cmd)
	case LetGone, Supervise, SetMode, Picked:
		refuse(cmd)
	case Annotated:
		c.annotate()
		c.publish()
	case AlarmWaits:
		c.signal(alarmTone)
	case due:
		c.wake()
	case standDown:
		return c.standDown(cmd)
	case HangUp:
		c.release(BySystem)
		return c.over(cmd.Why), true
	}
	return Next{}, false
}

// takeKey takes the oldest key pressed and not taken yet.
func (c *Call) takeKey() (media.Key, bool) {
	if len(c.keys) == 0 {
		return 0, false
	}
	c.chose()
	k := c.keys[0]
	c.keys = slices.Delete(c.keys, 0, 1)
	return k, true
}

// gone is closed when the caller's leg has ended; it never is while there is no caller yet.
func (c *Call) gone() <-chan struct{} {
	if c.caller == nil {
		return nil
	}
	return c.caller.Context().Done()
}

// left reports whether there was a caller whose leg has ended.
func (c *Call) left() bool { return c.caller != nil && c.caller.Context().Err() != nil }

// callerEnd is the Next of a call whose caller's leg has ended.
func (c *Call) callerEnd() Next {
	end, _ := EndOf(c.caller)
	if end.By == System {
		c.release(BySystem)
	} else {
		c.release(ByCaller)
	}
	if end.Why == CauseShutdown {
		return c.over(ReasonShutdown)
	}
	if end.Why == CauseBye || end.Why == CauseCancel {
		return c.over(ReasonCallerHangup)
	}
	if end.Why == CauseNoMedia {
		return c.over(ReasonNoMedia)
	}
	return c.over(ReasonCallerLost)
}

// over is the Next that ends the call; the result follows from what happened so far.
func (c *Call) over(why Reason) Next {
	switch came := c.rec.came(); {
	case came != "":
		return DoneWith(came, why)
	case why.isCallers() || why == ReasonTransferred:
		return DoneWith(Abandoned, why)
	default:
		return DoneWith(Failed, why)
	}
}

// release notes who ended the call; the first counts.
func (c *Call) release(by Release) {
	if c.rec.Release == "" {
		c.rec.Release = by
	}
}

// answer answers the caller, once, and notes when.
func (c *Call) answer() error {
	if c.rec.Accepted != nil {
		return nil
	}
	at, err := c.caller.Answer()
	if err != nil {
		return err
	}
	c.rec.Accepted = &at
	return nil
}

// adopt takes a leg over from whoever made it.
func (c *Call) adopt(l Leg) {
	c.legs[l.ID()] = l
	c.x.own(l.ID(), c)
	l.Belongs(c.id)
	l.Attach(c.post)
}

// drop ends a leg and lets it go. It returns how it ended, which may have been before.
func (c *Call) drop(l Leg, why Cause) LegEnd {
	l.Attach(nil)
	l.Hangup(why)
	end, _ := EndOf(l)
	c.lastOf(l)
	delete(c.legs, l.ID())
	c.x.disown(l.ID(), c)
	return end
}

// enter begins a stage: it is the one place where a move is published and written down. It returns the
// move as it is written, with nothing in it that only this process would know.
func (c *Call) enter(at Next) Next {
	if at.Kind == Wait && at.Entered.IsZero() {
		at.Entered = time.Now()
	}
	c.x.metrics.move(c.at.Kind, at.Kind)
	c.takeUp(at)
	c.at = at
	c.rec.keepPlace(at)
	c.publish()
	return at
}

// publish shows the call as it is now to the store, so that a crash loses nothing that was known, and then to those who
// watch: what is seen is on its way to the disk.
func (c *Call) publish() {
	c.measureLegs()
	r := c.rec.clone()
	Derive(&r, c.now.Targets)
	c.x.Records.Update(r)
	c.live.Store(&Live{Record: r, At: c.at.Kind, Held: c.held})
	c.lookAhead()
}

// after is a timer's channel, or nil for a wait that never ends.
func after(d time.Duration) (<-chan time.Time, func() bool) {
	if d < 0 {
		return nil, func() bool { return false }
	}
	t := time.NewTimer(d)
	return t.C, t.Stop
}

// cause is ctx's cause, never nil once ctx is done.
func cause(ctx context.Context) error { return context.Cause(ctx) }
