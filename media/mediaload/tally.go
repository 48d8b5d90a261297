package mediaload

import "time"

// lateAfter is from when on a packet counts as late: a phone with the least of jitter buffers has missed it.
const lateAfter = 20 * time.Millisecond

// Counts are of packets that phones received, or should have.
type Counts struct {
	// Received are those of the own call, without doubles.
	Received int `json:"received"`
	// Lost never came.
	Lost int `json:"lost"`
	// Foreign carried the audio of another call, or the phone's own. There must be none.
	Foreign int `json:"foreign"`
	// Disordered came after a later one, Doubled again.
	Disordered int `json:"disordered"`
	Doubled    int `json:"doubled"`
	// Late were under way for more than 20 ms, or came so long after their turn.
	Late int `json:"late"`
	// Damaged is what no phone and no prompt said, or not so.
	Damaged int `json:"damaged"`
	// Silent are frames of silence, which nobody said either.
	Silent int `json:"silent"`
}

// Add adds others to them.
func (c *Counts) Add(o Counts) {
	c.Received += o.Received
	c.Lost += o.Lost
	c.Foreign += o.Foreign
	c.Disordered += o.Disordered
	c.Doubled += o.Doubled
	c.Late += o.Late
	c.Damaged += o.Damaged
	c.Silent += o.Silent
}

// tally is what one phone makes of what it receives. Not safe for concurrent use.
type tally struct {
	call int
	from uint8 // the side that it is to hear, or sideServer

	counts  Counts
	seen    []uint64 // bit n: packet n has come
	highest int      // the newest, -1 before the first

	// Of what the server makes itself, which carries no time and begins its numbers anew with each round of the clip,
	// the number is that of RTP, and the time by the pace: begun is when packet 0 should have come, by the most punctual
	// of those that settled it.
	newest uint16
	begun  int64
}

func newTally(call int, from uint8, packets int) tally {
	return tally{call: call, from: from, seen: make([]uint64, packets/64+1), highest: -1}
}

// hear takes one packet: its audio, its RTP sequence number, and when it came (Unix time in ns). It returns when that
// packet was sent, or was to be, and false for what is not of the own call, or came already. settling: the pace of the
// server's own packets is still looked for.
func (t *tally) hear(frame []byte, sequence uint16, at int64, settling bool) (due int64, ok bool) {
	m, marked := readMark(frame)
	switch {
	case !marked && silent(frame):
		t.counts.Silent++
		return 0, false
	case !marked:
		t.counts.Damaged++
		return 0, false
	case m.call != t.call || m.side != t.from:
		t.counts.Foreign++
		return 0, false
	}
	number := m.number
	if t.from == sideServer {
		number = t.extend(sequence)
	}
	if number < 0 || number >= len(t.seen)*64 {
		t.counts.Damaged++ // it never was sent
		return 0, false
	}
	if !t.first(number) {
		t.counts.Doubled++
		return 0, false
	}
	t.counts.Received++
	due = m.sent
	if t.from == sideServer {
		due = t.pace(number, at, settling)
	}
	if at-due > int64(lateAfter) {
		t.counts.Late++
	}
	return due, true
}

// extend makes of an RTP sequence number the packet's number, from 0 for the first that came (RFC 3550 A.1).
func (t *tally) extend(sequence uint16) int {
	if t.highest < 0 {
		t.newest = sequence
		return 0
	}
	number := t.highest + int(int16(sequence-t.newest))
	if number > t.highest {
		t.newest = sequence
	}
	for number >= len(t.seen)*64 && number < t.highest+1<<15 {
		t.seen = append(t.seen, 0) // prompts begin before the load and end after it
	}
	return number
}

// first reports whether a packet comes for the first time.
func (t *tally) first(number int) bool {
	word, bit := &t.seen[number/64], uint64(1)<<(number%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	if number < t.highest {
		t.counts.Disordered++
	}
	t.highest = max(t.highest, number)
	return true
}

// pace is when a packet that the server makes was to come.
func (t *tally) pace(number int, at int64, settling bool) int64 {
	begun := at - int64(number)*int64(20*time.Millisecond)
	if t.begun == 0 || settling && begun < t.begun {
		t.begun = begun
	}
	return t.begun + int64(number)*int64(20*time.Millisecond)
}

// closed settles what was lost: of so many that were sent, or, where the server knows how many, of those up to the
// newest.
func (t *tally) closed(sent int) Counts {
	if t.from == sideServer {
		sent = t.highest + 1
	}
	t.counts.Lost = sent - t.counts.Received
	return t.counts
}
