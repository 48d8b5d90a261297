package acd_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"hotline/acd"
	"hotline/call"
)

// compare takes in which phones were rung, and holds the desk against the model.
func (p *pair) compare() error {
	events := p.lab.since(p.seen)
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(p.later(a), p.later(b)) })
	for _, e := range events {
		p.seen++
		words := strings.Fields(e.what)
		if words[0] == "RUNG" || words[0] == "ring" && e.at != time.Since(p.lab.start) {
			return fmt.Errorf("unexpected: %v %s", e.at, e.what)
		}
		if words[0] != "ring" {
			continue
		}
		p.rings[words[2]]++
		if err := p.model.Rang(words[1], words[2]); err != nil {
			return err
		}
	}
	if err := p.model.Settled(); err != nil {
		return err
	}
	for _, a := range acd.Must(p.lab.center.Agents()) {
		if want := p.model.State(a.ID); a.State != want {
			return fmt.Errorf("agent %s is %s, should be %s", a.ID, a.State, want)
		}
		if rings := p.lab.phones.bell(a.ID) != nil; rings != (p.model.Ringing(a.ID) != "") {
			return fmt.Errorf("agent %s: phone rings: %t", a.ID, rings)
		}
	}
	return p.compareSeats()
}

// later is 0 for the ring of an agent whom a caller waits for, which decides before others may be rung for them.
func (p *pair) later(e event) int {
	words := strings.Fields(e.what)
	if words[0] == "ring" && p.model.Prefers(words[2], words[1]) {
		return 0
	}
	return 1
}

func (p *pair) compareSeats() error {
	waiting, queued := map[string]bool{}, 0
	for _, c := range p.model.Waiting() {
		waiting[c] = true
		if visit, _ := p.lab.seats[c].Visit(); visit.Queue != "" { // calls between people are in no queue
			queued++
		}
	}
	total := 0
	for _, q := range acd.Must(p.lab.center.Queues()) {
		total += q.Waiting
	}
	if total != queued {
		return fmt.Errorf("%d wait, should be %d", total, queued)
	}
	for c, seat := range p.lab.seats {
		p.lab.mu.Lock()
		failed := p.lab.failed[c]
		p.lab.mu.Unlock()
		if want := p.model.Failed(c); failed != want {
			return fmt.Errorf("%s failed: %q, should be %q", c, failed, want)
		}
		visit, offers := seat.Visit()
		if err := p.compareLimits(c, visit); err != nil {
			return err
		}
		open := 0
		for _, o := range offers {
			if (o.Ended == nil) != (o.How == "") {
				return fmt.Errorf("offer of %s half ended: %+v", c, o)
			}
			if o.Ended == nil {
				open++
			}
		}
		if (visit.Left == nil) != waiting[c] || open != p.model.Offers(c) || len(offers) != p.rings[c] {
			return fmt.Errorf("%s: waits %t, %d of %d offers open after %d rings, should be %t and %d",
				c, visit.Left == nil, open, len(offers), p.rings[c], waiting[c], p.model.Offers(c))
		}
		if err := explained(seat.Decisions(), offers); err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
	}
	return nil
}

// explained holds what a seat decided against the offers made: each was decided on, in order, and everybody who
// serves the queue is accounted for.
func explained(decisions []call.Decision, offers []call.Offer) error {
	var chosen []string
	for _, d := range decisions {
		if len(d.Chosen) > len(d.Candidates)+d.More || d.Later != 0 {
			return fmt.Errorf("more were chosen than could be: %+v", d)
		}
		chosen = append(chosen, d.Chosen...)
		serving, counted := 0, len(d.Candidates)+d.More
		for _, a := range modelDesk().Agents {
			if _, ok := a.Skills[d.Queue]; ok {
				serving++
			}
		}
		for _, n := range d.Excluded {
			counted += n
		}
		if d.Rule == "direct" || d.Rule == "last-agent" || d.Rule == "overflow:too-long" && counted == 1 { // who wants one agent may wait too long too
			serving = 1
		}
		if serving != counted {
			return fmt.Errorf("%d are accounted for, should be %d: %+v", counted, serving, d)
		}
		for i, id := range d.Chosen { // no more than ten serve here, so all are named
			if i >= len(d.Candidates) || d.Candidates[i].Agent != id {
				return fmt.Errorf("chosen in another order than that of the candidates: %+v", d)
			}
		}
	}
	rung := make([]string, len(offers))
	for i, o := range offers {
		rung[i] = o.Agent
	}
	if !slices.Equal(chosen, rung) {
		return fmt.Errorf("chosen were %v, rung %v", chosen, rung)
	}
	return nil
}

// rest ends everything, and wants every agent ready and every offer ended.
func (p *pair) rest(agents []string) error {
	for _, c := range p.model.Waiting() {
		if p.model.Failed(c) != "" || p.model.Turned(c) != "" {
			continue
		}
		p.lab.seats[c].Leave(call.CauseBye)
		p.model.Abandon(c)
		synctest.Wait() // the next one may be rung at once, and leaves only then
		if err := p.compare(); err != nil {
			return fmt.Errorf("leaving: %w", err)
		}
	}
	for _, a := range agents {
		p.lab.center.Flow(a, true)
		p.model.Flow(a, true)
		p.log(a, len(modelDesk().Queues), true)
		p.pause(a, false)
		for p.model.Legs(a) > 0 {
			p.lab.leg(a).End(call.Far, call.CauseBye)
			p.model.HangUp(a)
		}
	}
	synctest.Wait()
	if err := p.compare(); err != nil {
		return fmt.Errorf("ending: %w", err)
	}
	if err := p.advance(time.Since(p.lab.start) + time.Minute); err != nil {
		return fmt.Errorf("at rest: %w", err)
	}
	for _, a := range acd.Must(p.lab.center.Agents()) {
		if a.State != call.AgentReady {
			return fmt.Errorf("agent %s is left %s", a.ID, a.State)
		}
	}
	return nil
}
