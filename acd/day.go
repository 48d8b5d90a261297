package acd

import (
	"time"

	"hotline/call"
)

// Finished tells the desk of calls that have ended, by their records: it learns from them who talked to whom,
// and what agents did today. At the start it is given those of before.
func (c *Center) Finished(records ...call.Record) {
	c.inbox.put(func(d *desk) {
		for i := range records {
			d.finished(&records[i])
		}
		d.forgetPast()
	})
}

func (d *desk) finished(r *call.Record) {
	by := r.MadeBy()
	today := d.date(r.Started) == d.date(d.now)
	if a := d.byAgent[by]; a != nil && today && r.Reason != call.ReasonCode {
		a.day(d.date(d.now)).Own++
	}
	for i := range r.Talks {
		t := &r.Talks[i]
		a := d.byAgent[t.Agent]
		if a == nil {
			continue
		}
		if today {
			a.day(d.date(d.now)).Count(t)
		}
		d.recall(a, t)
		if by == "" && t.Ended != nil && d.known(r.From, r.Private) {
			d.regulars.learn(numberAt{t.Queue, r.From}, a, *t.Ended, d.now)
			d.sayRegular(numberAt{t.Queue, r.From}, a, *t.Ended)
		}
	}
}

// recall takes a talk of before this desk was made into the day's figures that strategies go by, so that a restart at
// noon does not begin the day anew. Later ones the desk has counted itself.
func (d *desk) recall(a *agent, t *call.TalkRecord) {
	if t.Queue == "" || t.Ended == nil || !t.Answered.Before(d.opened) || !t.Ended.After(d.day) {
		return
	}
	a.talked += max(0, t.Ended.Sub(later(t.Answered, d.day)))
	for _, s := range a.slots {
		if s.queue.Name == t.Queue && !t.Answered.Before(d.day) {
			s.calls++
		}
		d.rekey(s)
	}
}

// rekey gives a slot its place among those ready anew, after figures of its agent changed.
func (d *desk) rekey(s *slot) {
	if s.place != 0 {
		s.queue.ready.remove(s)
		s.key.calls, s.key.talked = s.calls, s.agent.talked
		s.queue.ready.add(s)
	}
}

// date is the day of an instant, where the service is.
func (d *desk) date(at time.Time) date {
	y, m, day := at.In(d.o.Location).Date()
	return date{y, m, day}
}

type date struct {
	year  int
	month time.Month
	day   int
}

// day are the agent's figures of a day; those of another one are forgotten.
func (a *agent) day(of date) *call.Day {
	if a.today.of != of {
		a.today.of, a.today.Day = of, call.Day{}
	}
	return &a.today.Day
}
