package media

import "slices"

// Held is what an engine has of streams: those that are open, ports that they have, functions that are still to be told,
// and how many lines its shards have, in their wheels and in their tables. It is all 0 when every stream is closed.
func Held(e Engine) (streams, ports, untold, lines int) {
	c := e.(*core)
	c.mu.Lock()
	streams = len(c.streams)
	c.mu.Unlock()
	c.ports.mu.Lock()
	for _, out := range c.ports.out {
		if out {
			ports++
		}
	}
	c.ports.mu.Unlock()
	c.teller.mu.Lock()
	untold = len(c.teller.untold)
	c.teller.mu.Unlock()
	return streams, ports, untold, slices.Max(heldLines(c.transport))
}
