package media

import (
	"time"

	"github.com/pion/rtp"
)

// chair is one line's place in a room. It is the shard's.
type chair struct {
	room  *room
	place int
	end   bridgeEnd
	here  bool // from when the room is open until the line is closed, or the room

	hears []bool // whom, of those who are here
	count int    // how many these are: one is passed through, several are mixed
	mix   mixer
}

// pass has those hear one packet of this party's who are to.
func (s *chair) pass(p *rtp.Packet, kind payloadKind, scratch []byte, at time.Time) {
	r := s.room
	if !s.here || s.end.line.out.held() {
		return
	}
	for _, to := range r.chairs {
		switch {
		case !to.hears[s.place]:
		case s.end.line.withheld(kind, to.end.line):
			to.end.line.out.skip(p)
		default:
			to.take(s.place, p, kind, at)
		}
	}
	if r.tap == nil {
		return
	}
	if s.place == int(SideA) {
		tapped(r.tap, SideA, p, kind, scratch, at)
	}
	if a := r.chairs[SideA]; a.count == 1 && a.hears[s.place] {
		tapped(r.tap, SideB, p, kind, scratch, at)
	}
}

// opposite is the line that this one's keys are for: of the first two the other, if that one hears it.
func (s *chair) opposite() *line {
	if !s.here || s.place > int(SideB) || !s.room.chairs[1-s.place].hears[s.place] {
		return nil
	}
	return s.room.chairs[1-s.place].end.line
}

// take takes one packet of another party's. Keys pass between the first two alone.
func (s *chair) take(from int, p *rtp.Packet, kind payloadKind, at time.Time) {
	out, event := s.end.line.out, kind == payloadEvent
	switch {
	case event && (from > int(SideB) || s.place > int(SideB)):
	case s.count == 1:
		out.forward(at, p, kind)
	case event:
		out.passEvent(at, p)
	default:
		s.mix.put(from, p, kind)
	}
}

// turn sends what is due to this party: the mix, if it hears several; silence, if nobody.
func (s *chair) turn(due time.Time, frame []byte) {
	if !s.here {
		return // not open yet
	}
	out := s.end.line.out
	switch s.count {
	case 0:
		silence(frame)
		out.frame(due, frame, false)
	case 1:
		out.carry(due, frame)
	default:
		s.next(due, frame)
		out.frame(due, frame, true)
	}
}

// next makes the next frame of the mix, and has the tap hear it, if this party hears several. While the party is sent
// something else in its place, nobody may be heard later for it.
func (s *chair) next(due time.Time, frame []byte) {
	if !s.here || s.count < 2 {
		return
	}
	s.mix.frame(frame)
	if s.place == int(SideA) {
		s.room.tapMix(due, frame)
	}
}

// tapMix has the tap hear what party 0 does.
func (r *room) tapMix(due time.Time, alaw []byte) {
	if r.tap == nil {
		return
	}
	r.mixed.At, r.mixed.ALaw = due, alaw
	r.tap.Frame(r.mixed)
	r.mixed.Sequence++
	r.mixed.Timestamp += uint32(len(alaw))
}

// leave takes the line out of the room. Before that is open its lines may be of several shards, and nothing is done.
func (s *chair) leave() {
	if !s.here {
		return
	}
	s.here = false
	s.room.arrange()
}
