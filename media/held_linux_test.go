package media

// heldLines are the lines that a transport's shards have, as each of its tables counts them.
func heldLines(t transport) []int {
	if p, ok := t.(*portable); ok {
		p.mu.Lock()
		defer p.mu.Unlock()
		return []int{len(p.wheel.places)}
	}
	var counts []int
	for _, s := range t.(*epoll).shards {
		done := make(chan bool, 1)
		s.mail.post(command{f: func() {
			counts = append(counts, len(s.wheel.places), len(s.slots.all)-len(s.slots.free), int(s.lines.Load()))
		}, done: done}, nil)
		<-done
	}
	return counts
}
