package call

import "slices"

// A chain is the way of a call through queues that turn it away, and menus between them, in which nobody presses a
// key. It must end: a queue that the chain leads back to keeps the caller.

// wasTurned reports whether a queue has turned the call away in this chain.
func (c *Call) wasTurned(queue string) bool { return slices.Contains(c.turnedBy, queue) }

// noteTurned adds a queue that turned the call away to the chain.
func (c *Call) noteTurned(queue string) {
	if !c.wasTurned(queue) {
		c.turnedBy = append(c.turnedBy, queue)
	}
}

// chose ends the chain: the caller pressed a key, or talked to somebody.
func (c *Call) chose() { c.turnedBy, c.faultsIn = nil, nil }

// How a visit ended: the caller asked to be called back; the queue turned the caller away, as package acd says it too.
const (
	howCallback = "callback"
	howOverflow = "overflow"
)

// reopened is the index of the stay that goes on: the last one, left open by a restart, or taken up in the same place
// after a wish to be called back that the caller took back, a number outside that was not reached, or an agent who left
// before the caller of a callback was reached.
func (c *Call) reopened(at Next) (index int, ok bool) {
	last := len(c.rec.Visits) - 1
	if last < 0 || c.rec.Visits[last].Queue != at.Queue {
		return 0, false
	}
	v := &c.rec.Visits[last]
	same := at.Entered.Equal(v.Entered) || v.Since != nil && at.Entered.Equal(*v.Since)
	ended := v.How == string(Failed) || v.How == string(Answered) && len(c.rec.Talks) > 0
	if v.How == howCallback || same && !ended {
		v.Left, v.How, v.Overflow = nil, "", ""
	}
	return last, v.Left == nil
}
