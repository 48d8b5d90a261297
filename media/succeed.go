package media

// Two who hear each other go from a bridge to a room, when a third comes, and back. Each takes the other's place in one
// step, on the shard that has both lines, so that no packet falls in between and nothing is said meanwhile.

// pair are the ends of the two of a bridge, or of the first two of a room. They are the shard's of both lines.
type pair [2]*bridgeEnd

// joined are the ends by which two lines are joined, in that order: by a bridge, or as the first two of a room; both nil
// when they are not.
func (c *core) joined(left, right *line, byRoom bool) (p pair) {
	left.stream.do(func() {
		e := left.bridged
		switch {
		case e == nil || byRoom != (e.chair != nil):
		case !byRoom && e.side == SideA && e.far == right:
			p = pair{e, right.bridged}
		case byRoom && e.chair.here && e.chair.place == int(SideA):
			if other := e.chair.room.chairs[SideB]; other.here && other.end.line == right {
				p = pair{e, &other.end}
			}
		}
	})
	return p
}

// none reports whether there is nothing to succeed.
func (p pair) none() bool { return p[SideA] == nil }

// stand reports whether the two are still joined so; if not, they may be of several shards by now. It is called on the
// shard of the first.
func (p pair) stand() bool {
	if seat := p[SideA].chair; seat != nil {
		return seat.here && p[SideB].chair.here
	}
	return p[SideA].far != nil
}

// giveUp lets other ends take the place of these, which must stand. Who else was in the room leaves it.
func (p pair) giveUp(next pair) {
	for i, e := range p {
		e.line.bridged, e.far = next[i], nil
		e.line.stir()
	}
	if p[SideA].chair == nil {
		return
	}
	for _, seat := range p[SideA].chair.room.chairs {
		if seat.here && seat.place > int(SideB) {
			seat.end.part()
		}
		seat.here = false
	}
}
