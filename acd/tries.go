package acd

// tries are the callers whose one try ([call.Ticket.Once]) has not begun. It begins in the next match, or as soon as
// a phone that was taken back has stopped ringing; or they fail.
type tries struct {
	// waiting are those whom the match has not looked at, by goesBefore.
	waiting *order[*caller]
	// kept are those whose phone is not free: within one match none becomes so.
	kept []*caller
}

func newTries() tries {
	return tries{waiting: newOrder((*caller).goesBefore, func(c *caller) *int { return &c.placeOnce })}
}

// begins reports whether a caller has one try, and it has not begun.
func (c *caller) begins() bool { return c.Once && c.waits() && !c.spent }

// first is the first of those whose phone may be rung now; nil when there is none. Over one match it looks at each
// once.
func (t *tries) first() *caller {
	for {
		c, ok := t.waiting.first()
		if !ok {
			return nil
		}
		if c.begins() && c.only.free() {
			return c
		}
		t.waiting.remove(c)
		t.kept = append(t.kept, c)
	}
}

// settle is called at the end of a match: it asks for each whether it is settled, and keeps the others.
func (t *tries) settle(settled func(*caller) bool) {
	all := append(t.kept, t.waiting.items...)
	t.waiting.clear()
	t.kept = nil
	for _, c := range all {
		if !settled(c) {
			t.waiting.add(c)
		}
	}
}

// clear is for after a panic: the tries are found anew by the facts.
func (t *tries) clear() {
	t.waiting.clear()
	t.kept = nil
}
