package model

import (
	"slices"
	"time"

	"hotline/call"
)

// limits is what the model knows of a caller for whom the limits of a queue hold.
type limits struct {
	number string // empty: nobody knows the caller again
	stay   bool
	came   time.Duration
	late   bool
	back   bool // in a place of before
	fresh  bool // has come in this instant
}

// left is a place that may be taken up again.
type left struct{ entered, until time.Duration }

type placeOf struct{ queue, number string }

// Come takes in a caller who wants anybody, by a number that a trunk asserted, and whom the queue may turn away, or not
// (stay).
func (d *Desk) Come(name, queue, number string, front, stay bool) {
	d.Join(name, queue, "", front, false)
	c := d.caller(name)
	c.number, c.stay = number, stay
	d.rope(c)
	at := placeOf{queue, number}
	if c.queue.Rejoin == 0 || d.retired[queue] {
		return
	}
	if p, ok := d.places[at]; ok && d.now <= p.until && p.entered < c.entered {
		c.entered, c.back = p.entered, true
		d.place(c)
	}
	delete(d.places, at)
}

// Abandon takes in that a caller left while waiting.
func (d *Desk) Abandon(name string) {
	if c := d.caller(name); c.number != "" && c.queue.Rejoin > 0 && !d.retired[c.queue.Name] {
		d.places[placeOf{c.queue.Name, c.number}] = left{c.entered, d.now + c.queue.Rejoin}
	}
	d.Leave(name)
}

// Turned is why a caller was turned away; empty if it was not.
func (d *Desk) Turned(name string) call.Overflow { return d.turned[name] }

// Back reports whether a caller who waits is in a place of before.
func (d *Desk) Back(name string) bool {
	c := d.caller(name)
	return c != nil && c.back
}

// due is when a caller has waited as long as one may; 0 is never.
func (d *Desk) due(c *caller) time.Duration {
	if !d.bound(c) || c.queue.MaxWait == 0 {
		return 0
	}
	return c.came + c.queue.MaxWait
}

func (d *Desk) bound(c *caller) bool {
	return !c.stay && !c.once && !c.queue.Alarm && c.queue != d.queues[""]
}

// grow makes those late who have waited as long as one may.
func (d *Desk) grow() {
	for _, c := range d.callers {
		if d.bound(c) && c.queue.MaxWait > 0 && d.due(c) <= d.now {
			c.late = true
		}
	}
}

// turnAway takes out who cannot stay whoever is free: those who are late, or whom nobody serves.
func (d *Desk) turnAway() {
	for _, c := range slices.Clone(d.callers) {
		if !d.bound(c) || len(c.offers) > 0 {
			continue
		}
		switch {
		case c.only == "" && c.queue.TurnWhenEmpty && !d.staffed(c.queue.Name):
			d.turn(c, call.QueueEmpty)
		case c.late && !d.tooMany(c): // of both, the other is what one is told on coming
			d.turn(c, call.QueueTooLong)
		}
	}
}

// turnFull takes out who has come, found nobody free, and is one too many.
func (d *Desk) turnFull() {
	for _, c := range slices.Backward(slices.Clone(d.callers)) {
		if d.tooMany(c) {
			d.turn(c, call.QueueFull)
		}
	}
	for _, c := range d.callers {
		c.fresh = false
	}
}

// tooMany reports whether a caller who has come in this instant, and has nobody rung, is one more than may wait.
func (d *Desk) tooMany(c *caller) bool {
	waiting := 0
	for _, x := range d.callers {
		if x.queue == c.queue {
			waiting++
		}
	}
	full := c.queue.MaxWaiting > 0 && waiting > c.queue.MaxWaiting
	return full && c.fresh && d.bound(c) && c.only == "" && !c.front && !c.back && len(c.offers) == 0
}

func (d *Desk) turn(c *caller, why call.Overflow) {
	d.turned[c.name] = why
	d.Leave(c.name)
}

func (d *Desk) staffed(queue string) bool {
	return slices.ContainsFunc(d.agents, func(a *agent) bool {
		return a.flow && a.takes(queue)
	})
}
