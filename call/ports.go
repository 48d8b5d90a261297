package call

import (
	"context"
	"time"

	"hotline/media"
)

// Menus walks the menus. Package ivr.
type Menus interface {
	// Walk leads the caller through the menu named, and returns where the call goes next. An error is
	// one that Line returned, or ErrNoMenu.
	Walk(ctx context.Context, line Line, menu string) (Next, error)
}

// Line is what a menu may do with a call: speak and listen. Its methods are called by the call's owner
// only; meanwhile the mailbox is served.
type Line interface {
	// ID of the call, for logs.
	ID() string
	// Ask plays prompts, one after the other, and waits for one key: at most wait after the last
	// sample. A key cuts the prompts short and is returned; keys pressed ahead are taken in order.
	// Errors: ErrNoKey after the wait; the caller's *LegEnd; ErrMoved when a command sent the call
	// elsewhere; others when a prompt cannot be played.
	Ask(ctx context.Context, wait time.Duration, prompts ...string) (media.Key, error)
	// Say plays prompts to their end; keys wait for the next Ask. Errors as for Ask.
	Say(ctx context.Context, prompts ...string) error
	// During says prompts while f does something that takes a while, on a goroutine of its own, and returns
	// when f has: what is left of the prompts is not said. f's ctx is done when there is nobody left to do it
	// for; During waits for f then too. Errors as for Say.
	During(ctx context.Context, f func(ctx context.Context), prompts ...string) error
	// Own names the keys that the menu being walked has a use of its own for, from now on until it is left:
	// the alarm's key, when it is not among them, leads to the alarm queue at once, by ErrMoved.
	Own(keys ...media.Key)
	// Caller is the caller's number as the trunk asserted it; empty when it did not, or the caller asked for
	// it not to be shown.
	Caller() string
	// Get returns what a menu learnt and kept under a name; empty when nothing was.
	Get(name string) string
	// Set keeps what a menu learnt (keyed digits, a look-up's answer), for the call's record too. It reports
	// false, and keeps nothing, when the name or value is longer than MaxAnswer or the call has MaxAnswers.
	Set(name, value string) bool
	// Speak has everything said in a language from now on, as far as there are prompts of it, and the rest
	// in the service's. It reports whether there are any.
	Speak(language string) bool
	// Leave sounds a beep and takes a message: what the caller says until one of the ends that o has, or the caller
	// hangs up; what was said by then is kept. Errors: ErrNoMessage, ErrNotKept, or as for Ask.
	Leave(ctx context.Context, o MessageOptions) error
	// Hear is Ask, with the message that was left last before the prompts, as far as it can be played.
	Hear(ctx context.Context, wait time.Duration, prompts ...string) (media.Key, error)
	// Rate keeps what the caller said of the service, for the call's record: the question by its prompt's name, and
	// the score, 0 to 5. It keeps MaxScores.
	Rate(question string, score int)
	// Chose records a step of the way through menus: the menu, and the key or "otherwise".
	Chose(menu, choice string)
}

// Desk seats callers in queues. Package acd.
type Desk interface {
	// Join seats a caller. It does not block. Errors: ErrNoQueue.
	Join(ctx context.Context, t Ticket) (Seat, error)
	// Moved tells that an agent's leg, which the desk knows already, talks for another call now, found
	// through a queue ("" for none): a party who was handed over. It does not block.
	Moved(agent string, leg LegID, callID, queue string)
	// Engaged tells that a phone of the desk's has a leg which did not come from the desk. It does not block.
	Engaged(agent string, leg Leg)
}

// Dialer calls numbers outside, where the dial rules allow it. Package sip.
type Dialer interface {
	// Dial calls a number and returns the leg when it is answered; a done ctx takes the call back, as
	// for a ring. The error is always a *RingError: CauseForbidden when no rule allows the number, or
	// the rule's bounds are reached, CauseNotFound when the carrier says that there is no such number.
	Dial(ctx context.Context, r DialRequest) (Leg, error)
}

// DialRequest asks for a number outside to be called.
type DialRequest struct {
	Number string
	// Agent is who asks for it, for the audit.
	Agent string
	// CallID is the call that it belongs to.
	CallID string
	// Caller is the number of the caller for whom it is, as a trunk asserted it, empty where there is none; Private: it is
	// not to be shown. Dialled is the number of ours that the caller had dialled.
	Caller  string
	Private bool
	Dialled string
	// Prefer is the other party's codec, to be put first.
	Prefer media.Codec
	// Progress is told each 18x as it arrives, on any goroutine; it must not block.
	Progress func(code int, at time.Time)
}

// Ticket is what the desk must know of a caller to seat it.
type Ticket struct {
	CallID string
	Queue  string
	// Agent, if not empty, is the only agent wanted. Queue may then be empty: the call is between two
	// people, and no queue's.
	Agent string
	// Once: the agent wanted is rung at most once, now (in wrap-up too). The seat fails when that cannot
	// be, or nobody answers.
	Once bool
	// From is the caller's number, to show to agents, unless it is Private.
	From    string
	Private bool
	// To is the number that the caller dialled.
	To string
	// Prefer is the caller's codec.
	Prefer media.Codec
	// Entered is when the caller entered the queue; it decides the order within a priority.
	Entered time.Time
	// Front: before all others of the same priority (a caller whose agent was lost).
	Front bool
	// Asserted: From is a number that a trunk asserted, so that the caller may be known again by it.
	Asserted bool
	// Stay: the queue turns the caller away for no reason, since it has done so before, and the way from there has
	// led back.
	Stay bool
}

// Seat is a caller's place in a queue.
//
// A seat ends once, by an answer, by leaving, by being turned away, or (Ticket.Once) by failing, and both sides agree on which: if the answer
// won, Leave returns false and the answer is (or will at once be) in Answered; the caller's owner then
// owns the agent's leg and must hang it up if it has no use for it. If leaving won, the desk withdraws
// every offer, and an agent whose 200 crosses that is ACKed and BYEd by the desk.
type Seat interface {
	// Answered carries at most one Answer.
	Answered() <-chan Answer
	// Failed carries at most one cause: that the one try (Ticket.Once) came to nothing. Leave then
	// returns true.
	Failed() <-chan Cause
	// Turned carries at most one reason: the queue turned the caller away, and the seat has ended. Leave then
	// returns true.
	Turned() <-chan Overflow
	// Leave gives the place up and reports whether leaving won. Idempotent: a later call returns
	// what the first did. It does not block.
	Leave(why Cause) (won bool)
	// Changed has a token when an offer began, rang or ended since the last one was taken: Visit and
	// PromiseClock then tell more than before.
	Changed() <-chan struct{}
	// Visit is the stay as the record wants it: offers in order, and how it ended. It is complete
	// once the seat has ended (Answered was read, or Leave returned true).
	Visit() (Visit, []Offer)
	// Decisions are why the desk did what it did, in order; the same holds for their completeness.
	Decisions() []Decision
	// AskPlace asks for the caller's place in the queue. It does not block.
	AskPlace()
	// Placed carries the place that was asked for, the newest if several were. There is no answer for a caller whose
	// agent's phone rings, or who does not wait any more.
	Placed() <-chan Place
	// PromiseClock is when the clock of the first promise began: the first 180 or 183 of the first
	// offer, at the latest that INVITE + 1 s. Zero while it has not.
	PromiseClock() time.Time
}

// Answer is an agent who answered: the leg is up, and the owner's from now on.
type Answer struct {
	Agent string
	// Number is the duty number outside that answered in place of an agent.
	Number string
	Name   string
	Queue  string
	Leg    Leg
	// At is when the agent's 200 arrived.
	At time.Time
}

// Recorder begins recordings. Package recorder.
type Recorder interface {
	// Start begins the recording of one call, at the instant its parties were joined. Errors are
	// the recorder's (disk full, no permission): the call goes on and is marked unrecorded.
	Start(call string, joined time.Time) (Recording, error)
}

// Recording is one call's recording, running. As a media.Tap, side A is the caller.
type Recording interface {
	media.Tap
	// Name is what the record keeps to find it again.
	Name() string
	// Close ends it at an instant: shorter audio is filled with silence up to there, later audio
	// cut. It returns the error that made the recording incomplete, if any did. Idempotent.
	Close(end time.Time) error
	// Discard ends it, unless Close has, and leaves nothing of it behind. Idempotent. Errors: what was written
	// cannot be taken away, and stays as any other recording does.
	Discard() error
	// Said is what side A said, once the recording is closed. Errors: it cannot be read, or was discarded.
	Said() (media.Clip, error)
}

// Records keeps call records. Package store.
type Records interface {
	// Begin queues the row of a call that has just begun; it does not wait for the disk. Rows of one
	// call are written in order.
	Begin(r Record)
	// Update queues what the record says now, after a move of the call, so that a crash keeps what is
	// known; it does not wait for the disk. What it holds is copied before it returns. An update of a
	// finished call is dropped.
	Update(r Record)
	// Finish writes the finished record, once, and returns when it is durable or ctx is done (it is
	// then still queued and will be written as soon as it can be).
	// Once it returned nil, all that was queued before it is durable too.
	// Errors: ErrFinished when that was done before: nothing changes then.
	Finish(ctx context.Context, r Record) error
	// Annotate queues that the last talk of an agent in a finished call gets a code ([Record.Annotate]); it does
	// not wait for the disk. A call that is not there, or has no such talk, is passed over.
	Annotate(callID, agent string, code WrapUpCode)
}

// Prompts finds what is said, by name, in the language of the service.
type Prompts interface {
	// Clip returns the audio of a prompt. Errors: one that wraps fs.ErrNotExist.
	Clip(name string) (media.Clip, error)
	// Digits speaks a number digit by digit (an agent's 工号), as clips in order.
	Digits(number string) []media.Clip
	// Number speaks a whole number (0 to 9999) as one, such as a place in an order; a greater one is read digit by
	// digit, a negative one not at all.
	Number(n int) []media.Clip
	// Count is as Number, for before a measure word: minutes, callers.
	Count(n int) []media.Clip
}
