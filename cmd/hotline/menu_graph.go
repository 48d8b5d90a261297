package main

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"hotline/call"
	"hotline/config"
	"hotline/ivr"
)

// sketched is the graph of menus as it is drawn.
type sketched struct {
	boxes []*box
	lines []*wire
	note  string // below the drawing
}

// box is a number, a menu, or where calls leave the menus to.
type box struct {
	id, class   string
	title, text string
	bad         bool // something is wrong with it
	out         []*wire
	layer, row  int
	x, y, h     int
}

// wire is one way from a box to another; several choices that lead to the same place are one.
type wire struct {
	from, to *box
	labels   []string
	silent   bool
	back     bool // against the layers, or within one
	via      []*box
}

// sketch makes the graph of a configuration; what faults name is drawn as wrong.
func sketch(cfg *config.Config, faults config.Problems) *sketched {
	s := &sketched{}
	byID := map[string]*box{}
	at := func(id, class, title, text string) *box {
		if b := byID[id]; b != nil {
			return b
		}
		b := &box{id: id, class: class, title: title, text: text}
		byID[id] = b
		s.boxes = append(s.boxes, b)
		return b
	}
	views := ivr.Graph(menuOptions(cfg))
	for _, t := range cfg.Trunks {
		for _, number := range slices.Sorted(maps.Keys(t.Numbers)) {
			at("number "+number, "number", number, t.Name)
		}
	}
	for _, v := range views {
		b := at("menu "+v.Name, "menu", v.Kind+": "+v.Name, v.Prompt)
		b.bad = slices.ContainsFunc(faults, func(p config.Problem) bool {
			return p.Path == "menus."+v.Name || strings.HasPrefix(p.Path, "menus."+v.Name+".")
		})
	}
	place := func(n call.Next, from string) *box {
		switch {
		case n.Menu != "":
			if byID["menu "+n.Menu] == nil {
				at("menu "+n.Menu, "menu", n.Menu, "no such menu").bad = true
			}
			return byID["menu "+n.Menu]
		case n.Queue != "":
			b := at("queue "+n.Queue, "queue", "queue: "+n.Queue, "")
			_, there := cfg.Queues[n.Queue]
			b.bad = !there
			return b
		case n.Number != "":
			return at("dial "+n.Number, "dial", "calls "+n.Number, "")
		case n.Kind == call.Done:
			return at("end "+from, "end", "hangs up", "")
		default:
			b := at("nowhere "+from, "end", "nowhere", "")
			b.bad = true
			return b
		}
	}
	s.joinAll(cfg, views, byID, place)
	if a := cfg.Alarm; a.Key != "" && a.Queue != "" {
		s.note = "key " + a.Key + ": to the alarms (queue " + a.Queue + ") from every prompt of every menu that has no key " + a.Key + " of its own"
	}
	return s
}

// joinAll adds the ways of numbers and menus, and of the queues that they lead to.
func (s *sketched) joinAll(cfg *config.Config, views []ivr.View, byID map[string]*box, place func(n call.Next, from string) *box) {
	for _, t := range cfg.Trunks {
		for _, number := range slices.Sorted(maps.Keys(t.Numbers)) {
			s.join(byID["number "+number], place(leadsTo(t.Numbers[number]), number), first("", leadsTo(t.Numbers[number])), false)
		}
	}
	for _, v := range views {
		for _, w := range v.Ways {
			s.join(byID["menu "+v.Name], place(w.Next, v.Name), first(strings.TrimPrefix(w.Field, "keys."), w.Next), w.Silent)
		}
	}
	for i := 0; i < len(s.boxes); i++ { // a queue's ways may lead to queues that nothing else does
		name, yes := strings.CutPrefix(s.boxes[i].id, "queue ")
		if !yes {
			continue
		}
		q := cfg.Queues[name]
		for _, why := range slices.Sorted(maps.Keys(q.Overflow)) {
			s.join(s.boxes[i], place(leadsTo(q.Overflow[why]), s.boxes[i].id), first(string(why), leadsTo(q.Overflow[why])), true)
		}
		if q.Survey != "" {
			s.join(s.boxes[i], place(call.Next{Kind: call.Menu, Menu: q.Survey}, s.boxes[i].id), "survey", true)
		}
		for _, key := range slices.Sorted(maps.Keys(q.Keys)) {
			if to := q.Keys[key]; !to.Callback {
				s.join(s.boxes[i], place(leadsTo(to.Destination), s.boxes[i].id), first(key, leadsTo(to.Destination)), false)
			}
		}
	}
}

// first adds to a way's label the agent who is rung before the queue's others.
func first(label string, n call.Next) string {
	if n.Agent == "" {
		return label
	}
	return strings.TrimSpace(label + " (" + n.Agent + " first)")
}

// join adds a way.
func (s *sketched) join(from, to *box, label string, silent bool) {
	for _, w := range from.out {
		if w.to == to && w.silent == silent {
			w.labels = append(w.labels, label)
			return
		}
	}
	w := &wire{from: from, to: to, labels: []string{label}, silent: silent}
	from.out = append(from.out, w)
	s.lines = append(s.lines, w)
}

// layers puts every box so many columns from the left that its ways lead to the right, but for those that close
// a circle; and returns the boxes column by column, with a place left free where a way passes a column.
func (s *sketched) layers() [][]*box {
	state := map[*box]int{} // 1: on the way down, 2: done
	var order []*box        // every box after all that it leads to
	var visit func(b *box)
	visit = func(b *box) {
		state[b] = 1
		for _, w := range b.out {
			switch state[w.to] {
			case 0:
				visit(w.to)
			case 1:
				w.back = true
			}
		}
		state[b] = 2
		order = append(order, b)
	}
	for _, b := range s.boxes {
		if state[b] == 0 {
			visit(b)
		}
	}
	deepest := 0
	for _, b := range slices.Backward(order) {
		for _, w := range b.out {
			if !w.back {
				w.to.layer = max(w.to.layer, b.layer+1)
				deepest = max(deepest, w.to.layer)
			}
		}
	}
	columns := make([][]*box, deepest+1)
	for _, b := range s.boxes {
		columns[b.layer] = append(columns[b.layer], b)
	}
	for _, w := range s.lines {
		for l := w.from.layer + 1; !w.back && l < w.to.layer; l++ {
			pass := &box{layer: l}
			w.via = append(w.via, pass)
			columns[l] = append(columns[l], pass)
		}
	}
	return columns
}

// meanRow is where a box's neighbours stand, or the box itself when it has none.
func meanRow(b *box, near []*box) float64 {
	if len(near) == 0 {
		return float64(b.row)
	}
	sum := 0
	for _, x := range near {
		sum += x.row
	}
	return float64(sum) / float64(len(near))
}

// sweeps is how often the boxes of each column are put in order by their neighbours.
const sweeps = 8

// untangle orders each column by where the boxes' neighbours stand, to and fro, so that few ways cross.
func (s *sketched) untangle(columns [][]*box) {
	beside := map[*box][2][]*box{} // those to the left, those to the right
	link := func(a, b *box) {
		l, r := beside[a], beside[b]
		l[1], r[0] = append(l[1], b), append(r[0], a)
		beside[a], beside[b] = l, r
	}
	for _, w := range s.lines {
		if w.back {
			continue
		}
		at := w.from
		for _, next := range append(slices.Clone(w.via), w.to) {
			link(at, next)
			at = next
		}
	}
	number := func(column []*box) {
		for i, b := range column {
			b.row = i
		}
	}
	for _, c := range columns {
		number(c)
	}
	for i := range sweeps {
		side := i % 2
		for n := range columns {
			if side == 1 {
				n = len(columns) - 1 - n
			}
			mean := map[*box]float64{}
			for _, b := range columns[n] {
				mean[b] = meanRow(b, beside[b][side])
			}
			slices.SortStableFunc(columns[n], func(a, b *box) int { return cmp.Compare(mean[a], mean[b]) })
			number(columns[n])
		}
	}
}
