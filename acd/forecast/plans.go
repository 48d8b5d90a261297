package forecast

import (
	"cmp"
	"container/heap"
	"time"
)

// plans are what people will do, by when; those of one instant in the order of their making.
type plans struct {
	list planHeap
	made int
}

type plan struct {
	at  time.Time
	seq int
	do  func()
}

func (p *plans) add(at time.Time, do func()) {
	p.made++
	heap.Push(&p.list, plan{at, p.made, do})
}

func (p *plans) next() (at time.Time, ok bool) {
	if len(p.list) == 0 {
		return at, false
	}
	return p.list[0].at, true
}

func (p *plans) due(now time.Time) bool {
	at, ok := p.next()
	return ok && !at.After(now)
}

// do takes the first out and does it.
func (p *plans) do() {
	first, _ := heap.Pop(&p.list).(plan)
	first.do()
}

// planHeap implements [heap.Interface].
type planHeap []plan

func (h planHeap) Len() int { return len(h) }
func (h planHeap) Less(i, j int) bool {
	return cmp.Or(h[i].at.Compare(h[j].at), cmp.Compare(h[i].seq, h[j].seq)) < 0
}
func (h planHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements [heap.Interface].
func (h *planHeap) Push(x any) {
	p, _ := x.(plan)
	*h = append(*h, p)
}

// Pop implements [heap.Interface].
func (h *planHeap) Pop() any {
	last := len(*h) - 1
	p := (*h)[last]
	(*h)[last] = plan{} // for the garbage collector
	*h = (*h)[:last]
	return p
}
