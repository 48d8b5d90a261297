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
		if by == "" && t.Ended != nil && d.known(r.From, r.Private) {
			d.regulars.learn(numberAt{t.Queue, r.From}, a, *t.Ended, d.now)
		}
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
