package media

import (
	"time"

	"github.com/pion/rtp"
)

// bridgeEnd is one line's part of a bridge. A line has one from when it is claimed for a bridge; far is set once both
// lines are of one shard, which from then on owns both ends.
type bridgeEnd struct {
	tap  Tap // nil: nobody hears the bridge
	side Side
	line *line
	far  *line // where its packets go; nil: not joined yet, or parted
	// chair is the line's place where it is in a room in place of a bridge; nil: it is not.
	chair *chair
}

// Bridge implements Engine. Errors: ErrForeign, ErrBridged, ErrClosed.
func (c *core) Bridge(a, b Stream, tap Tap) (unbridge func(), err error) {
	streams, err := c.ours(a, b)
	if err != nil {
		return nil, err
	}
	left, right := streams[0], streams[1]
	ends := pair{{tap: tap, side: SideA, line: left.line}, {tap: tap, side: SideB, line: right.line}}
	unbridge = func() { left.do(ends[0].part) }
	if before := c.joined(left.line, right.line, true); !before.none() {
		err = ErrClosed
		left.do(func() { err = succeed(before, ends) })
		return unbridge, err
	}
	for i, s := range streams {
		err := ErrClosed
		s.do(func() { err = s.line.claim(ends[i]) })
		if err != nil {
			if i > 0 {
				left.do(ends[0].part)
			}
			return nil, err
		}
	}
	err = ErrClosed
	if c.transport.gather(false, left.line, right.line) {
		left.do(func() { err = join(ends) })
	}
	if err != nil {
		left.do(ends[0].part)
		right.do(ends[1].part)
		return nil, err
	}
	return unbridge, nil
}

// succeed has a bridge take the place of a room. Errors: ErrClosed.
func succeed(before, ends pair) error {
	if !before.stand() {
		return ErrClosed
	}
	before.giveUp(ends)
	return join(ends)
}

// claim stops what is played on a line and keeps it for a bridge, which is joined next.
func (l *line) claim(e *bridgeEnd) error {
	if l.closed {
		return ErrClosed
	}
	if l.bridged != nil {
		return ErrBridged
	}
	l.unload(ErrReplaced)
	l.live = true
	l.bridged = e
	return nil
}

// join lets packets pass between two lines that are claimed, and are of one shard. Errors: ErrClosed.
func join(ends pair) error {
	for _, e := range ends {
		if e.line.closed {
			return ErrClosed
		}
	}
	ends[SideA].far, ends[SideB].far = ends[SideB].line, ends[SideA].line
	return nil
}

// part ends the bridge, if that is not done yet: no packet is on its way between the lines any more, nor to the tap.
func (e *bridgeEnd) part() {
	if e.line.bridged != e {
		return
	}
	e.line.bridged = nil
	e.line.out.keys.hangUp()
	e.line.stir()
	if e.chair != nil {
		e.chair.leave()
	}
	if e.far != nil { // then its end is the other one of this bridge
		e.far.out.keys.hangUp()
		e.far.stir()
		e.far.bridged.far = nil
		e.far.bridged = nil
		e.far = nil
	}
}

// pass sends one packet to the other line and lets the tap hear it.
func (e *bridgeEnd) pass(p *rtp.Packet, kind payloadKind, scratch []byte, at time.Time) {
	if e.chair != nil {
		e.chair.pass(p, kind, scratch, at)
		return
	}
	if e.far == nil {
		return
	}
	if e.line.withheld(kind, e.far) {
		e.far.out.skip(p)
	} else {
		e.far.out.forward(at, p, kind)
	}
	if e.tap != nil {
		tapped(e.tap, e.side, p, kind, scratch, at)
	}
}
