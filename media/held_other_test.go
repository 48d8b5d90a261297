//go:build !linux

package media

// heldLines are the lines that a transport's shard has.
func heldLines(t transport) []int {
	p := t.(*portable)
	p.mu.Lock()
	defer p.mu.Unlock()
	return []int{len(p.wheel.lines)}
}
