package sip

import (
	"context"
	"strings"
	"sync"
	"time"

	"hotline/call"
)

// What is kept of one SIP Call-ID at most. Beyond it messages are counted only: a peer that floods a dialog
// must not fill our memory with what it says.
const (
	ladderMessages = 256       // messages
	ladderOctets   = 256 << 10 // octets of heads
	ladderHead     = 4 << 10   // octets of one head
	// unclaimedMessages of an INVITE that belongs to no call yet (it and its challenge, resent).
	unclaimedMessages = 8
	// unclaimedTracks bounds the INVITEs that belong to no call yet; the oldest are forgotten.
	unclaimedTracks = 1024
	// usualMessages are those of a leg without anything unusual.
	usualMessages = 8
)

// ladderQuiet is how long after its leg's end a track waits for stragglers, since its last message: more
// than T2, at which what is resent is resent (RFC 3261 section 17.1.2.2).
const ladderQuiet = 5 * time.Second

// ladder keeps what the legs and rings of calls said by SIP until it is handed to Options.Trace: when a
// dialog has been over and quiet for a while, when its leg moves to another call, and when the user agent
// closes. Only Call-IDs that are a call's, or an INVITE's that may become one, are kept; any other message
// costs a look-up. Without Options.Trace it knows which call a leg's Call-ID belongs to, and keeps no message.
// All methods do nothing on nil, and may be called from any goroutine. The lock is a leaf; out is called without it.
type ladder struct {
	out   func(callID string, messages []call.SIPMessage) // nil without Options.Trace
	alive func() map[string]struct{}                      // the Call-IDs of legs and rings
	quiet time.Duration

	observers observers
	ends      *ownEnds // set before the first message; nil: addresses are as the sockets have them

	mu        sync.Mutex
	tracks    map[string]*track // by SIP Call-ID
	unclaimed []string          // Call-IDs of those without a call, the oldest first
	closed    bool
}

// track is what one SIP Call-ID has said since it was last handed over.
type track struct {
	call     string // that it belongs to; empty while nobody said
	party    string
	agent    bool
	messages []call.SIPMessage
	kept     int // messages, those handed over included
	octets   int // of their heads
	omitted  int
	last     time.Time
}

func newLadder(out func(string, []call.SIPMessage), alive func() map[string]struct{}) *ladder {
	return &ladder{out: out, alive: alive, quiet: ladderQuiet, tracks: make(map[string]*track)}
}

// begin opens a track for an INVITE of ours.
func (l *ladder) begin(sipCallID, callID, party string, agent bool) {
	if l == nil || callID == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tracks[sipCallID] = &track{call: callID, party: party, agent: agent, last: time.Now()}
}

// name says who is at the other end of an INVITE that passed the door.
func (l *ladder) name(sipCallID string, in call.Incoming) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.tracks[sipCallID]; t != nil {
		t.party, t.agent = in.From, in.Agent != ""
	}
}

// belongs gives a track to a call. What it has said for another call before goes to that.
func (l *ladder) belongs(sipCallID, callID string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	t := l.tracks[sipCallID]
	if t == nil && l.out == nil && !l.closed && callID != "" {
		l.tracks[sipCallID] = &track{call: callID, last: time.Now()} // saw opened none
	}
	if t == nil || t.call == callID {
		l.mu.Unlock()
		return
	}
	before := t.call
	var said []call.SIPMessage
	if before != "" {
		said = t.take()
	}
	t.call = callID
	l.mu.Unlock()
	l.hand(before, said)
}

// hand gives messages out.
func (l *ladder) hand(callID string, messages []call.SIPMessage) {
	if callID != "" && len(messages) > 0 && l.out != nil {
		l.out(callID, messages)
	}
}

// take empties a track, and names its messages. l.mu is held.
func (t *track) take() []call.SIPMessage {
	said := t.messages
	if t.omitted > 0 {
		said = append(said, call.SIPMessage{At: t.last, Received: true, Omitted: t.omitted})
	}
	for i := range said {
		said[i].Party, said[i].Agent = t.party, t.agent
	}
	t.messages, t.omitted = nil, 0
	return said
}

// wants tells whether messages of a Call-ID are kept. An INVITE that may become a call opens a track.
func (l *ladder) wants(sipCallID []byte, invite bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tracks[string(sipCallID)] // no allocation
	if t == nil && invite && !l.closed {
		l.open(string(sipCallID))
		return true
	}
	return t != nil
}

// open makes a track without a call, and forgets the oldest such. l.mu is held.
func (l *ladder) open(sipCallID string) {
	l.tracks[sipCallID] = &track{last: time.Now()}
	l.unclaimed = append(l.unclaimed, sipCallID)
	if len(l.unclaimed) > unclaimedTracks {
		if t := l.tracks[l.unclaimed[0]]; t != nil && t.call == "" {
			delete(l.tracks, l.unclaimed[0])
		}
		l.unclaimed = l.unclaimed[1:]
	}
}

// keep adds a message to its track, or counts it.
func (l *ladder) keep(sipCallID string, m call.SIPMessage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tracks[sipCallID]
	if t == nil || l.closed {
		return
	}
	t.last = m.At
	most := ladderMessages
	if t.call == "" {
		most = unclaimedMessages
	}
	if t.kept >= most || t.octets+len(m.Head) > ladderOctets {
		t.omitted++
		return
	}
	t.kept++
	t.octets += len(m.Head)
	if t.messages == nil {
		t.messages = make([]call.SIPMessage, 0, usualMessages)
	}
	t.messages = append(t.messages, m)
}

// Ladder is what a live call's legs and rings have said by SIP so far and was not handed to Options.Trace
// yet, in the order of the wire. It is empty when there is nothing.
func (u *UA) Ladder(callID string) []call.SIPMessage {
	l := u.ladder
	if l == nil || callID == "" {
		return nil
	}
	var said []call.SIPMessage
	l.mu.Lock()
	for _, t := range l.tracks {
		if t.call == callID {
			copied := *t
			copied.messages = append([]call.SIPMessage(nil), t.messages...)
			said = append(said, copied.take()...)
		}
	}
	l.mu.Unlock()
	call.SortLadder(said)
	return said
}

// run hands over what is over, until ctx is done.
func (l *ladder) run(ctx context.Context) error {
	if l == nil {
		return nil
	}
	return again(ctx, l.quiet/5, l.sweep)
}

// sweep hands over, and forgets, the tracks whose dialogs are over and quiet.
func (l *ladder) sweep(now time.Time) {
	alive := l.alive()
	l.drop(func(sipCallID string, t *track) bool {
		_, lives := alive[sipCallID]
		return !lives && now.Sub(t.last) >= l.quiet
	})
}

// close hands over everything; nothing is kept any more.
func (l *ladder) close() {
	if l == nil {
		return
	}
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.drop(func(string, *track) bool { return true })
}

// drop forgets the tracks that are over, and hands over those of calls.
func (l *ladder) drop(over func(sipCallID string, t *track) bool) {
	said := make(map[string][]call.SIPMessage) // by call: one write for all its legs that end together
	l.mu.Lock()
	for id, t := range l.tracks {
		if over(id, t) {
			delete(l.tracks, id)
			if t.call != "" {
				said[t.call] = append(said[t.call], t.take()...)
			}
		}
	}
	for len(l.unclaimed) > 0 { // those at the front that were claimed or forgotten
		if t := l.tracks[l.unclaimed[0]]; t != nil && t.call == "" {
			break
		}
		l.unclaimed = l.unclaimed[1:]
	}
	l.mu.Unlock()
	for id, messages := range said {
		call.SortLadder(messages)
		l.hand(id, messages)
	}
}

// callIDs are the SIP Call-IDs of the legs, and of the INVITEs of ours under way.
func (t *legTable) callIDs() map[string]struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	ids := make(map[string]struct{}, len(t.legs)+len(t.rings))
	for key := range t.legs {
		ids[callIDOf(key)] = struct{}{}
	}
	for key := range t.rings {
		ids[callIDOf(key)] = struct{}{}
	}
	return ids
}

// callIDOf is the Call-ID in a dialog's id.
func callIDOf(dialog string) string {
	id, _, _ := strings.Cut(dialog, "\x00")
	return id
}
