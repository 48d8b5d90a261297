package acd

import (
	"slices"
	"time"

	"hotline/call"
)

// codeWithin is how long after a talk it may still be given a code.
const codeWithin = 10 * time.Minute

// talked is an agent's part of a queue's call.
type talked struct {
	call  string
	queue *queue
	ended time.Time // zero while it goes on
}

// WrapUp gives a code of its queue's list to the talk that an agent has, or had last, up to 10 min ago. A later
// code replaces an earlier one. Options.OnCode is told. Errors: [call.ErrNoAgent], [call.ErrNoTalk],
// [call.ErrBadCode], [ErrStopped].
func (c *Center) WrapUp(id, code string) error {
	var of string
	var given call.WrapUpCode
	err := c.act("wrap up", id, func(d *desk, a *agent) error {
		t, ok := a.talk(d.now)
		if !ok {
			return call.ErrNoTalk
		}
		text, ok := t.queue.Codes[code]
		if !ok {
			return call.ErrBadCode
		}
		a.lastCode = code
		of, given = t.call, call.WrapUpCode{Code: code, Text: text}
		return nil
	})
	if err == nil {
		c.o.OnCode(of, id, given)
	}
	return err
}

// ExtendWrapUp makes the wrap-up that goes on longer by the queue's wrap-up again, at most up to
// Queue.WrapUpMax after the talk. Errors: [call.ErrNoAgent], [call.ErrNoWrapUp], [call.ErrWrapUpMax],
// [ErrStopped].
func (c *Center) ExtendWrapUp(id string) error {
	return c.act("extend wrap-up", id, func(d *desk, a *agent) error {
		if !d.now.Before(a.wrapUntil) {
			return call.ErrNoWrapUp
		}
		until := a.wrapUntil.Add(a.last.queue.WrapUp)
		if most := a.last.ended.Add(a.last.queue.WrapUpMax); until.After(most) {
			until = most
		}
		if !until.After(a.wrapUntil) {
			return call.ErrWrapUpMax
		}
		a.wrapUntil, a.idle = until, until
		d.refresh(a)
		return nil
	})
}

// EndWrapUp ends the wrap-up that goes on. Errors: [call.ErrNoAgent], [call.ErrNoWrapUp], [ErrStopped].
func (c *Center) EndWrapUp(id string) error {
	return c.act("end wrap-up", id, func(d *desk, a *agent) error {
		if !d.now.Before(a.wrapUntil) {
			return call.ErrNoWrapUp
		}
		a.wrapUntil, a.idle = d.now, d.now
		d.refresh(a)
		return nil
	})
}

// talk is the talk that a code would be of: the newest that goes on, else the last.
func (a *agent) talk(now time.Time) (talked, bool) {
	for _, b := range slices.Backward(a.legs) {
		if b.from != nil {
			return talked{call: b.call, queue: b.from}, true
		}
	}
	return a.last, a.last.queue != nil && now.Sub(a.last.ended) <= codeWithin
}

// wrapUp begins an agent's wrap-up after a talk for a queue.
func (a *agent) wrapUp(b *busy, ended time.Time) {
	if !ended.Before(a.last.ended) {
		a.last = talked{call: b.call, queue: b.from, ended: ended}
	}
	a.wrapUntil = later(a.wrapUntil, ended.Add(b.from.WrapUp))
	a.idle = a.wrapUntil
}
