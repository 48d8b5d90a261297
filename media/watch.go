package media

import "time"

// Fact is something about a stream's audio that its call should know.
type Fact uint8

// The facts that StreamOptions.OnFact is told.
const (
	// FactSilent: nothing was heard for Options.Timeout on a stream that is to be heard: it is agreed on, has begun to
	// send, and is not held either way. Told again after each further Timeout.
	FactSilent Fact = iota + 1
	// FactOneWay: audio goes one way only. Nothing comes since the agreement though we send, or the far end reports that
	// it sends and nothing comes, or that nothing of ours arrives. Told once for each agreement.
	FactOneWay
	// FactHeard: what the facts before told is over.
	FactHeard
)

func (f Fact) String() string {
	switch f {
	case FactSilent:
		return "silent"
	case FactOneWay:
		return "one-way"
	case FactHeard:
		return "heard"
	}
	return "none"
}

const (
	// oneWayAfter is how long audio may go one way only; a shorter Options.Timeout counts here too. Phones report about
	// every 5 s (RFC 3550 section 6.2), so this long brings a report that says why; and a far end that has no audio at
	// all, as a load generator may, is not asked about it in a short call.
	oneWayAfter = 8 * time.Second
	// heardFor is how many judgements in a row must find everything well before FactHeard is told.
	heardFor = 2
	// standstill is how long the machine must have stood still (asleep, or moved to another host) for a watch to begin
	// anew: what came meanwhile has not been read yet, and no far end is to blame.
	standstill = 3 * time.Second
)

// watch judges whether a stream is heard as it should be. It is asked about once a second and goes by times alone:
//
//	state                   | is judged so                                                       | told
//	not watched             | no agreement, held either way, or nothing sent or heard since it   | nothing; what is owed stays owed
//	well                    | a sign of life within Timeout, and none of the below               | FactHeard if it is owed, at the second such judgement after the proof
//	silent                  | no sign of life for Timeout (unless that is 0)                     | FactSilent, again after each Timeout
//	one-way, nothing came   | nothing heard since the agreement while we sent for oneWayAfter;   | FactOneWay, once for an agreement
//	                        | twice that if the far end was heard under an earlier one, and not  |
//	                        | when it reports that it sends nothing                              |
//	one-way, lost to us     | it reports to have sent more, oneWayAfter after it was last heard  | FactOneWay, once for an agreement
//	one-way, lost to it     | farEnd.isDeaf                                                      | FactOneWay, once for an agreement
//
// A sign of life is a packet of RTP from the locked source, whatever is in it, or a report by which the far end sends
// nothing: one that suppresses silence goes on to report, and is inactive only once its reports stay out too (RFC 3550
// sections 6.2.1 and 6.4). A sender report whose count grows is none: what it has sent should have come. The proof that
// it is over is RTP (after silence: any sign of life), and after deafness a report by which the far end hears us.
//
// Not safe for concurrent use; owned by the line's shard.
type watch struct {
	silentAfter, oneWayAfter time.Duration // silentAfter 0: never

	wanted bool
	agreed time.Time
	began  time.Time // when it was first seen alive under this agreement; zero before
	before bool      // it was heard under an earlier agreement

	judged     time.Time // last
	sent       uint64    // at the last judgement
	sendsSince time.Time // zero while nothing is sent

	toldOneWay bool // under this agreement
	// What FactHeard is owed for, by when it was told; zero when nothing.
	silent, lostToUs, lostToIt time.Time
	well                       int // judgements in a row
}

func newWatch(timeout time.Duration) watch {
	w := watch{silentAfter: timeout, oneWayAfter: oneWayAfter}
	if timeout > 0 {
		w.oneWayAfter = min(timeout, oneWayAfter)
	}
	return w
}

// agree begins anew: wanted says that audio is agreed both ways. heard is when the far end last was.
func (w *watch) agree(wanted bool, heard, now time.Time) {
	w.wanted, w.agreed, w.began, w.before = wanted, now, time.Time{}, !heard.IsZero()
	w.sendsSince, w.toldOneWay, w.well = time.Time{}, false, 0
}

// judge looks at a stream that has sent so many packets and last received one at heard, and returns what is to be told;
// 0 is nothing.
func (w *watch) judge(heard time.Time, sent uint64, far *farEnd, now time.Time) Fact {
	if !w.watched(heard, sent, now) {
		return 0
	}
	life := newest(heard, far.idle)
	silent := w.silentAfter > 0 && now.Sub(newest(life, w.began)) >= w.silentAfter
	lostToUs, lostToIt := w.nothingCame(heard, far, now) || w.claimed(heard, far), far.isDeaf()
	if !silent && !lostToUs && !lostToIt {
		return w.recovered(heard, life, far.hears)
	}
	w.well = 0
	if (lostToUs || lostToIt) && !w.toldOneWay {
		w.toldOneWay = true
		if lostToUs {
			w.lostToUs = now
		}
		if lostToIt {
			w.lostToIt = now
		}
		return FactOneWay
	}
	if silent && (w.silent.IsZero() || now.Sub(w.silent) >= w.silentAfter) {
		w.silent = now
		return FactSilent
	}
	return 0
}

// watched takes note of what was sent, and reports whether the stream is to be judged.
func (w *watch) watched(heard time.Time, sent uint64, now time.Time) bool {
	if !w.judged.IsZero() && !w.began.IsZero() && now.Sub(w.judged) >= standstill {
		w.began, w.sendsSince = now, time.Time{}
	}
	sends := sent != w.sent
	w.judged, w.sent = now, sent
	if !sends {
		w.sendsSince = time.Time{}
	} else if w.sendsSince.IsZero() {
		w.sendsSince = now
	}
	if w.wanted && w.began.IsZero() && (sends || heard.After(w.agreed)) {
		w.began = now
	}
	return w.wanted && !w.began.IsZero()
}

// isSilent reports whether FactSilent was told and is not over.
func (w *watch) isSilent() bool { return !w.silent.IsZero() }

// nothingCame: nothing was heard under this agreement, long enough after it.
func (w *watch) nothingCame(heard time.Time, far *farEnd, now time.Time) bool {
	if heard.After(w.agreed) || w.sendsSince.IsZero() {
		return false
	}
	enough := w.oneWayAfter
	if w.before {
		enough *= 2
		if !far.idle.IsZero() {
			return false
		}
	}
	return now.Sub(w.sendsSince) >= enough
}

// claimed: the far end has sent what did not come.
func (w *watch) claimed(heard time.Time, far *farEnd) bool {
	return far.sending.Sub(newest(heard, w.began)) >= w.oneWayAfter
}

// recovered is FactHeard when it is owed and the proof of it has lasted.
func (w *watch) recovered(heard, life, hears time.Time) Fact {
	if w.silent.IsZero() && w.lostToUs.IsZero() && w.lostToIt.IsZero() {
		return 0
	}
	if !life.After(w.silent) || !w.lostToUs.IsZero() && !heard.After(w.lostToUs) ||
		!w.lostToIt.IsZero() && !hears.After(w.lostToIt) {
		w.well = 0
		return 0
	}
	if w.well++; w.well < heardFor {
		return 0
	}
	w.silent, w.lostToUs, w.lostToIt, w.well = time.Time{}, time.Time{}, time.Time{}, 0
	return FactHeard
}

func newest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
