package acd

import "hotline/call"

// line is a queue's callers in the order in which they will be served. Adding one, taking one out, and telling how
// many are before one are O(log n) each: it is a treap, a search tree that is a heap by numbers drawn from the
// callers' order of joining, and each branch knows its size.
type line struct{ root *caller }

// branch is a caller's part of a line.
type branch struct {
	left, right *caller
	size        int
	in          bool
}

// weight is the caller's number in the heap: its order of joining, well shaken (splitmix64).
func (c *caller) weight() uint64 {
	x := c.rank.seq + 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func sizeOf(c *caller) int {
	if c == nil {
		return 0
	}
	return c.branch.size
}

func (c *caller) resize() { c.branch.size = 1 + sizeOf(c.branch.left) + sizeOf(c.branch.right) }

// add does nothing when c is already here.
func (l *line) add(c *caller) {
	if c.branch.in {
		return
	}
	c.branch = branch{size: 1, in: true}
	l.root = insert(l.root, c)
}

// remove does nothing when c is not here.
func (l *line) remove(c *caller) {
	if c.branch.in {
		l.root = extract(l.root, c)
		c.branch = branch{}
	}
}

// before is how many are before c, who is here.
func (l *line) before(c *caller) int {
	n := 0
	for at := l.root; at != nil; {
		if c.goesBefore(at) {
			at = at.branch.left
			continue
		}
		n += sizeOf(at.branch.left)
		if at == c {
			break
		}
		n++
		at = at.branch.right
	}
	return n
}

// insert puts c into a branch, and returns its new root.
func insert(root, c *caller) *caller {
	if root == nil {
		return c
	}
	if c.weight() > root.weight() {
		c.branch.left, c.branch.right = split(root, c)
		c.resize()
		return c
	}
	if c.goesBefore(root) {
		root.branch.left = insert(root.branch.left, c)
	} else {
		root.branch.right = insert(root.branch.right, c)
	}
	root.resize()
	return root
}

// split parts a branch into those before c and the others.
func split(root, c *caller) (before, after *caller) {
	if root == nil {
		return nil, nil
	}
	if root.goesBefore(c) {
		root.branch.right, after = split(root.branch.right, c)
		root.resize()
		return root, after
	}
	before, root.branch.left = split(root.branch.left, c)
	root.resize()
	return before, root
}

// extract takes c out of a branch, and returns its new root.
func extract(root, c *caller) *caller {
	switch {
	case root == nil:
		return nil
	case root == c:
		return merge(root.branch.left, root.branch.right)
	case c.goesBefore(root):
		root.branch.left = extract(root.branch.left, c)
	default:
		root.branch.right = extract(root.branch.right, c)
	}
	root.resize()
	return root
}

// merge joins two branches, all of the first before all of the second.
func merge(before, after *caller) *caller {
	switch {
	case before == nil:
		return after
	case after == nil:
		return before
	case before.weight() > after.weight():
		before.branch.right = merge(before.branch.right, after)
		before.resize()
		return before
	default:
		after.branch.left = merge(before, after.branch.left)
		after.resize()
		return after
	}
}

// placeOf is where a caller who waits stands. Those before whose agent's phone rings count for the position, and not
// for the wait.
func (q *queue) placeOf(c *caller) call.Place {
	position := q.line.before(c) + 1
	ringing := q.waiting.len() - q.bare
	return call.Place{
		Position: position,
		Expected: q.rate.expected(max(1, position-ringing), q.staff.working),
	}
}

// relist makes the line, and the count of those for whom no phone rings, anew.
func (q *queue) relist() {
	q.line, q.bare = line{}, 0
	for _, c := range q.waiting.items {
		c.branch, c.bare = branch{}, false
		q.line.add(c)
	}
}

// place tells a caller who asked where it stands; a place that was not taken yet is replaced.
func (s *seat) place(p call.Place) {
	select {
	case <-s.placed:
	default:
	}
	s.placed <- p // only the desk sends
}

// AskPlace implements [call.Seat].
func (s *seat) AskPlace() { s.ask() }

// Placed implements [call.Seat].
func (s *seat) Placed() <-chan call.Place { return s.placed }
