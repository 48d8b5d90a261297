package media

// keyMethod is how a key reached us.
type keyMethod uint8

const (
	noMethod keyMethod = iota
	byRTP
	byINFO
)

// keypad knows which keys of one leg are to be told, and to whom. A phone may send each key by both methods; the
// first one seen wins for the life of the leg. Not safe for concurrent use; owned by the line's shard.
type keypad struct {
	method keyMethod
	tell   func(Key)
	turn   uint64 // of tell, among those there have been
}

// press returns whom a key is to be told to: nil when nobody.
func (p *keypad) press(by keyMethod) (tell func(Key)) {
	if p.method == noMethod {
		p.method = by
	}
	if p.method != by {
		return nil
	}
	return p.tell
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

// press has a key told, away from the shard: the function told may call the stream.
func (l *line) press(k Key, by keyMethod) {
	tell, turn, s := l.keys.press(by), l.keys.turn, l.stream
	if tell == nil || l.closed {
		return
	}
	if s.untold.Add(1) > maxUntold {
		s.untold.Add(-1)
		return
	}
	s.core.teller.tell(func() { s.tellKey(k, tell, turn) })
}

// tellKey tells of a key, unless the stream was closed or another function set meanwhile. Called by the teller.
func (s *stream) tellKey(k Key, tell func(Key), turn uint64) {
	defer s.contain("media: key")
	s.untold.Add(-1)
	if !s.hungUp.Load() && s.keyTurn.Load() == turn {
		tell(k)
	}
}
