package acd

import "slices"

// order keeps things sorted by before: the first is at hand, adding and removing any one is O(log n).
// It is a binary heap whose elements know their place in it.
type order[T any] struct {
	items  []T
	before func(a, b T) bool
	// place points at where an element keeps its place: its index plus one, 0 when it is not here.
	place func(T) *int
}

func newOrder[T any](before func(a, b T) bool, place func(T) *int) *order[T] {
	return &order[T]{before: before, place: place}
}

func (o *order[T]) len() int { return len(o.items) }

func (o *order[T]) first() (x T, ok bool) {
	if len(o.items) == 0 {
		return x, false
	}
	return o.items[0], true
}

// least returns the first n, or all if there are fewer, in order. It looks at no more than 2n of them.
func (o *order[T]) least(n int) []T {
	found := make([]T, 0, min(n, len(o.items)))
	edge := []int{0} // those of whom one must be the next: the children of what was found
	for len(found) < cap(found) {
		next := 0
		for i := range edge {
			if o.before(o.items[edge[i]], o.items[edge[next]]) {
				next = i
			}
		}
		at := edge[next]
		found = append(found, o.items[at])
		edge = slices.Delete(edge, next, next+1)
		for child := 2*at + 1; child <= 2*at+2 && child < len(o.items); child++ {
			edge = append(edge, child)
		}
	}
	return found
}

// add does nothing when x is already here.
func (o *order[T]) add(x T) {
	if *o.place(x) != 0 {
		return
	}
	o.items = append(o.items, x)
	*o.place(x) = len(o.items)
	o.up(len(o.items) - 1)
}

// remove does nothing when x is not here.
func (o *order[T]) remove(x T) {
	i := *o.place(x) - 1
	if i < 0 {
		return
	}
	last := len(o.items) - 1
	o.swap(i, last)
	*o.place(x) = 0
	var none T
	o.items[last] = none // for the garbage collector
	o.items = o.items[:last]
	if i < last {
		o.down(i)
		o.up(i)
	}
}

// clear empties the order.
func (o *order[T]) clear() {
	for _, x := range o.items {
		*o.place(x) = 0
	}
	clear(o.items)
	o.items = o.items[:0]
}

func (o *order[T]) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !o.before(o.items[i], o.items[parent]) {
			return
		}
		o.swap(i, parent)
		i = parent
	}
}

func (o *order[T]) down(i int) {
	for {
		least := 2*i + 1
		if least >= len(o.items) {
			return
		}
		if right := least + 1; right < len(o.items) && o.before(o.items[right], o.items[least]) {
			least = right
		}
		if !o.before(o.items[least], o.items[i]) {
			return
		}
		o.swap(i, least)
		i = least
	}
}

func (o *order[T]) swap(i, j int) {
	o.items[i], o.items[j] = o.items[j], o.items[i]
	*o.place(o.items[i]), *o.place(o.items[j]) = i+1, j+1
}
