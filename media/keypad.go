package media

// keyMethod is how a key reached us.
type keyMethod uint8

const (
	noMethod keyMethod = iota
	byRTP
	byINFO
	byTone
)

// keypad knows which keys of one leg are to be told, and to whom. A phone may send each key by several methods; the
// first one seen wins for the life of the leg, or until it is agreed that keys come by it no more. Not safe for concurrent use; owned by the line's shard.
type keypad struct {
	method keyMethod
	tell   func(Key)
	turn   uint64 // of tell, among those there have been
}

// may reports whether keys can come by a method: no other one has been seen.
func (p *keypad) may(by keyMethod) bool { return p.method == noMethod || p.method == by }

// wants reports whether somebody is to be told of the keys of a method.
func (p *keypad) wants(by keyMethod) bool { return p.tell != nil && p.may(by) }

// press reports whether a key counts, by the method that it came by.
func (p *keypad) press(by keyMethod) bool {
	if p.may(by) {
		p.method = by
	}
	return p.method == by
}

// agree takes in whether the far end has telephone-events: then nobody listens for tones any more, and without them none
// come. A method that is gone is no reason to refuse the other.
func (p *keypad) agree(events bool) {
	if p.method == byTone && events || p.method == byRTP && !events {
		p.method = noMethod
	}
}

// maxUntold is how many keys of a stream may wait to be told: a person presses a few in a second, and a flood of
// them must cost no memory.
const maxUntold = 64

// OnKey implements Stream. The function may call the stream, Close included.
func (s *stream) OnKey(f func(Key)) {
	turn := s.keyTurn.Add(1)
	s.do(func() {
		if turn > s.line.keys.turn {
			s.line.keys.tell, s.line.keys.turn = f, turn
		}
	})
}

// Press implements Stream. What is no key is ignored.
func (s *stream) Press(k Key) {
	if k.Valid() {
		s.do(func() { s.line.press(k, byINFO) })
	}
}

// press has a key told, away from the shard: the function told may call the stream. The other end of a bridge gets it
// too.
func (l *line) press(k Key, by keyMethod) {
	if l.closed || !l.keys.press(by) {
		return
	}
	l.passOn(k, by)
	tell, turn, s := l.keys.tell, l.keys.turn, l.stream
	if tell == nil {
		return
	}
	if s.untold.Add(1) > maxUntold {
		s.untold.Add(-1)
		return
	}
	s.core.teller.tell(s, func() { s.tellKey(k, tell, turn) })
}

// tellKey tells of a key, unless the stream was closed or another function set meanwhile. Called by the teller.
func (s *stream) tellKey(k Key, tell func(Key), turn uint64) {
	defer s.contain("media: key")
	s.untold.Add(-1)
	if !s.hungUp.Load() && s.keyTurn.Load() == turn {
		tell(k)
	}
}
