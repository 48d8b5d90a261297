package acd

import (
	"math"
	"time"
)

const (
	// rateWindow is the time of waiting over which what was seen of a queue counts for e times less.
	rateWindow = 5 * time.Minute
	// priorDepartures is for how many departures the mean holding time stands in at first, and how many must have been
	// seen where there is none.
	priorDepartures = 3
	// heldOver is over about how many talks the mean holding time is taken.
	heldOver = 20
	// longestExpected bounds what is computed from a queue that all but stands still.
	longestExpected = 24 * time.Hour
	// unknown is the wait to be expected where nothing is known, as [call.Place] says it.
	unknown = time.Duration(-1)
)

// rate is how fast a queue is being served, per agent at work. Time is counted only while somebody waits for whom
// no phone rings: at other times agents are not busy, and how soon they answer says nothing of how soon they are
// free.
//
// With S the answers in that time and N the agents at work summed over it (both fading with rateWindow), H the mean
// time that a call holds an agent, wrap-up included, k = priorDepartures (fading too), and n the agents at work now, the
// caller at position p expects to wait
//
//	p · (N + k·H) ÷ (n · (S + k))
//
// that is p departures at n times the rate of one agent: at first 1/H, as if nobody served any other queue, and then
// what is seen. While no talk has ended, k is 0, and nothing is known before as many answers as k was at first. Departures are answers
// only: who gives up behind a caller brings nobody forward, so that the figure errs to the long side.
type rate struct {
	at         time.Time // up to when time was counted
	departures float64
	agentTime  float64 // seconds
	faded      float64 // how much of the first instant's weight is gone, from 0 to 1
	holding    float64 // seconds
	talks      float64
}

// roll counts the time up to now, in which so many agents were at work.
func (r *rate) roll(now time.Time, queued bool, working int) {
	passed := now.Sub(r.at).Seconds()
	r.at = now
	if !queued || passed <= 0 {
		return
	}
	window := rateWindow.Seconds()
	fade := math.Exp(-passed / window)
	r.departures *= fade
	r.faded = 1 - (1-r.faded)*fade
	r.agentTime = r.agentTime*fade + float64(working)*window*(1-fade)
}

// depart counts an answer.
func (r *rate) depart() { r.departures++ }

// held counts how long a call held an agent.
func (r *rate) held(d time.Duration) {
	r.talks = min(r.talks+1, heldOver)
	r.holding += (d.Seconds() - r.holding) / r.talks
}

// expected is the wait of the caller at a position, the first being 1; unknown (negative) if nothing is known.
func (r *rate) expected(position, working int) time.Duration {
	k := priorDepartures * (1 - r.faded)
	switch {
	case working <= 0, r.talks == 0 && r.departures < priorDepartures:
		return unknown
	case r.talks == 0:
		k = 0
	}
	if r.departures+k == 0 {
		return unknown
	}
	seconds := float64(position) * (r.agentTime + k*r.holding) / (float64(working) * (r.departures + k))
	return time.Duration(min(seconds, longestExpected.Seconds()) * float64(time.Second))
}

// depart counts the answer to a caller, whose phone still counts as ringing, if others wait for whom none rings.
func (d *desk) depart(c *caller) {
	if c.queue.bare > 0 {
		c.queue.rate.depart()
	}
}
