package media

import (
	"errors"
	"math/rand/v2"
)

// MaxParties is how many a room may hold.
const MaxParties = 8

// ErrParties says that they are no room's: fewer than two or more than MaxParties, or one who is to hear somebody who
// is not there, or himself.
var ErrParties = errors.New("media: not a room's parties")

// Party is one of those in a room.
type Party struct {
	Stream Stream
	// Hears are whom this party hears, by their places among the room's parties, from 0; never itself. One alone is
	// passed through, packet by packet, as a bridge does; several are mixed, which delays them by 40 to 60 ms, and by
	// up to 200 where packets come late. Who hears nobody hears silence.
	Hears []int
}

// Room is several parties who hear each other, each some or all of the others. It exists only while there are more than
// two: for two a bridge does.
//
// What parties 0 and 1 press as telephone-events passes between those two, where the one hears the other, and is heard
// by nobody else. A party who holds us is not heard, and hears nothing. A tap hears party 0 as it says it (SideA) and
// what party 0 hears (SideB): the packets of the one party heard, or the mix.
type Room interface {
	// Set changes who hears whom: for each party what Party.Hears is. Errors: ErrParties, with which nothing changes.
	Set(hears ...[]int) error
	// Close ends it, and returns when no packet can reach the tap any more. The streams can then be bridged, or played
	// to, and their far ends see one RTP stream all the way. Idempotent. It must not be called by the tap.
	Close()
}

// audible turns whom each party hears into a table, by listener and voice.
func audible(hears [][]int) ([][]bool, error) {
	n := len(hears)
	if n < 2 || n > MaxParties {
		return nil, ErrParties
	}
	table := make([][]bool, n)
	for i, whom := range hears {
		table[i] = make([]bool, n)
		for _, j := range whom {
			if j < 0 || j >= n || j == i {
				return nil, ErrParties
			}
			table[i][j] = true
		}
	}
	return table, nil
}

// room is a Room of lines of one shard, which owns it: once it is open, all that is below is the shard's.
type room struct {
	tap    Tap // nil: nobody hears it
	chairs []*chair
	wants  [][]bool // who is to hear whom, by listener and voice
	mixed  Frame    // of the mix that party 0 heard last, for the tap
}

// Mix implements Engine.
func (c *core) Mix(tap Tap, parties ...Party) (Room, error) {
	streams, hears := make([]Stream, len(parties)), make([][]int, len(parties))
	for i, p := range parties {
		streams[i], hears[i] = p.Stream, p.Hears
	}
	wants, err := audible(hears)
	if err != nil {
		return nil, err
	}
	own, err := c.ours(streams...)
	if err != nil {
		return nil, err
	}
	r := &room{tap: tap, wants: wants, mixed: Frame{Side: SideB, SSRC: rand.Uint32()}}
	for i, s := range own {
		seat := &chair{room: r, place: i}
		seat.end = bridgeEnd{line: s.line, chair: seat}
		r.chairs = append(r.chairs, seat)
	}
	if err := c.seat(r); err != nil {
		for _, seat := range r.chairs { // they may be of several shards
			seat.end.line.stream.do(seat.end.part)
		}
		return nil, err
	}
	return r, nil
}

// seat claims the lines of a room, brings them to one shard, and opens it. The first two may be in a bridge until then.
// Errors: ErrBridged, ErrClosed.
func (c *core) seat(r *room) error {
	first := r.chairs[0].end.line
	before := c.joined(first, r.chairs[1].end.line, false)
	lines := []*line{first}
	for i, seat := range r.chairs {
		if i <= int(SideB) && !before.none() {
			continue // they are together, and move no more
		}
		l, err := seat.end.line, ErrClosed
		l.stream.do(func() { err = l.claim(&seat.end) })
		if err != nil {
			return err
		}
		if l != first {
			lines = append(lines, l)
		}
	}
	err := ErrClosed
	if c.transport.gather(!before.none(), lines...) {
		r.do(func() { err = r.open(before) })
	}
	return err
}

// open lets the parties hear each other, in place of a bridge if there was one. Errors: ErrClosed.
func (r *room) open(before pair) error {
	if !before.none() && !before.stand() {
		return ErrClosed
	}
	for _, seat := range r.chairs {
		if seat.end.line.closed {
			return ErrClosed
		}
	}
	if !before.none() {
		before.giveUp(pair{&r.chairs[SideA].end, &r.chairs[SideB].end})
	}
	for _, seat := range r.chairs {
		seat.here = true
	}
	r.arrange()
	return nil
}

// arrange has those who are there hear whom they are to.
func (r *room) arrange() {
	for _, seat := range r.chairs {
		heard, count := make([]bool, len(r.chairs)), 0
		for i := range heard {
			if heard[i] = seat.here && r.chairs[i].here && r.wants[seat.place][i]; heard[i] {
				count++
			}
		}
		seat.hears, seat.count = heard, count
		if count > 1 {
			seat.mix.hears(heard)
		} else {
			seat.mix.hears(nil)
		}
	}
}

// Set implements Room. When all have left it does nothing.
func (r *room) Set(hears ...[]int) error {
	wants, err := audible(hears)
	if err != nil {
		return err
	}
	if len(wants) != len(r.chairs) {
		return ErrParties
	}
	r.do(func() {
		r.wants = wants
		r.arrange()
	})
	return nil
}

// Close implements Room.
func (r *room) Close() {
	r.do(func() {
		for _, seat := range r.chairs {
			if seat.here { // else its line may be another shard's by now
				seat.end.part()
			}
		}
	})
}

// do has f done on the room's shard.
func (r *room) do(f func()) { r.chairs[0].end.line.stream.do(f) }
