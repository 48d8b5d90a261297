package forecast

import (
	"time"

	"hotline/call"
)

// Tally counts outcomes.
type Tally struct {
	// Calls are all; Answered and GaveUp are some of them, the others were turned away or cut short.
	Calls, Answered, GaveUp int
	// InRings are those answered within the rings promised.
	InRings int
	// Soon are those answered within the service level's time, Late those who gave up later than that.
	Soon, Late int
	// Waited is the sum of all waits, Longest the longest.
	Waited, Longest time.Duration
}

// Targets are what is promised.
type Targets struct {
	Rings  int
	Within time.Duration
}

// Count adds one.
func (t *Tally) Count(o Outcome, cut bool, promised Targets) {
	t.Calls++
	t.Waited += o.Wait
	t.Longest = max(t.Longest, o.Wait)
	switch {
	case o.Answered:
		t.Answered++
		if o.Wait <= promised.Within {
			t.Soon++
		}
		if o.Rings <= promised.Rings {
			t.InRings++
		}
	case o.Turned == call.Overflow("") && !cut:
		t.GaveUp++
		if o.Wait > promised.Within {
			t.Late++
		}
	}
}

// MeanWait is over all calls; 0 without any.
func (t Tally) MeanWait() time.Duration {
	if t.Calls == 0 {
		return 0
	}
	return t.Waited / time.Duration(t.Calls)
}

// ServiceLevel is the share answered in time of those answered and those who gave up later (design, section 5); ok is
// false when there was none of either.
func (t Tally) ServiceLevel() (share float64, ok bool) {
	if t.Answered+t.Late == 0 {
		return 0, false
	}
	return float64(t.Soon) / float64(t.Answered+t.Late), true
}

// HalfHour is how long a stretch of a day is for which agents are planned.
const HalfHour = 30 * time.Minute

// Counts are outcomes by queue and by half hour.
type Counts struct {
	Queues map[string]*Tally
	All    Tally
	// Halves are by the number of half hours since the day's beginning.
	Halves map[int]*Tally
	begin  time.Time
	target Targets
}

// NewCounts counts from the beginning of a day on.
func NewCounts(begin time.Time, promised Targets) *Counts {
	return &Counts{Queues: map[string]*Tally{}, Halves: map[int]*Tally{}, begin: begin, target: promised}
}

// Count adds one.
func (c *Counts) Count(o Outcome, cut bool) {
	half := int(o.At.Sub(c.begin) / HalfHour)
	if c.Queues[o.Queue] == nil {
		c.Queues[o.Queue] = &Tally{}
	}
	if c.Halves[half] == nil {
		c.Halves[half] = &Tally{}
	}
	for _, t := range []*Tally{c.Queues[o.Queue], c.Halves[half], &c.All} {
		t.Count(o, cut, c.target)
	}
}
