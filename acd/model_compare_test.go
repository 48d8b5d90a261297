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
	p.seen += len(events)
	for _, e := range p.inOrder(events) {
		if err := p.tell(e); err != nil {
			return fmt.Errorf("%w, of what happened together: %v", err, events)
		}
	}
	if err := p.model.Settled(); err != nil {
		return fmt.Errorf("%w, when there had happened together: %v", err, events)
	}
	there := acd.Must(p.lab.center.Agents())
	if len(there) != len(p.model.Agents()) {
		return fmt.Errorf("there are %d agents, should be %v", len(there), p.model.Agents())
	}
	for _, a := range there {
		if want := p.model.State(a.ID); a.State != want {
			return fmt.Errorf("agent %s is %s, should be %s", a.ID, a.State, want)
		}
		if rings := p.lab.phones.bell(a.ID) != nil; rings != (p.model.Ringing(a.ID) != "") {
			return fmt.Errorf("agent %s: phone rings: %t", a.ID, rings)
		}
	}
	if err := p.compareSeats(); err != nil || p.look == nil {
		return err
	}
	return p.look()
}

// tell has the model take in what the desk did.
func (p *pair) tell(e event) error {
	words := strings.Fields(e.what)
	switch {
	case words[0] == "RUNG" || words[0] == "PANIC" || words[0] == "ring" && e.at != time.Since(p.lab.start):
		return fmt.Errorf("unexpected: %v %s", e.at, e.what)
	case words[0] == "cancel":
		if err := p.model.TakenBack(words[1], words[2]); err != nil {
			return fmt.Errorf("%s: %w", e.what, err)
		}
		return nil
	case words[0] == "refused":
		return p.model.Refused(words[1], words[2])
	case words[0] == "alarm":
		p.steps[words[1]]++
		return nil
	case words[0] != "ring":
		return nil
	}
	p.rings[words[2]]++
	if len(words[1]) > 1 { // a number outside
		return p.model.Dialled(words[1], words[2])
	}
	return p.model.Rang(words[1], words[2])
}

// inOrder are the events of one instant in the order in which the model is told of them. Phones are on goroutines of
// their own, so only those of one phone came in their order: one that was rung, and taken back in the same instant (what
// was known had changed by then: another had stopped ringing), is told of as that.
func (p *pair) inOrder(events []event) []event {
	type told struct {
		event
		rings, class int // how often the phone was rung before in this instant, and later
	}
	rings := map[string]int{}
	order := make([]told, len(events))
	for i, e := range events {
		words := strings.Fields(e.what)
		order[i] = told{e, rings[words[1]], p.later(e)}
		if words[0] == "ring" {
			rings[words[1]]++
		}
	}
	slices.SortStableFunc(order, func(a, b told) int {
		return cmp.Or(cmp.Compare(a.rings, b.rings), cmp.Compare(a.class, b.class))
	})
	sorted := make([]event, len(order))
	for i, t := range order {
		sorted[i] = t.event
	}
	return sorted
}

// later is in which order the model is told what happened in one instant: the phones taken back, the claims refused,
// the ring of an agent whom a caller waits for, which decides before others may be rung for them, and the others, of
// whom a caller who waited was refused one only then.
func (p *pair) later(e event) int {
	words := strings.Fields(e.what)
	switch {
	case words[0] == "cancel":
		return 0
	case words[0] == "refused" && p.model.WaitsForAnother(words[2], words[1]):
		return 3
	case words[0] == "refused":
		return 1
	case words[0] == "ring" && p.model.Prefers(words[2], words[1]):
		return 2
	default:
		return 4
	}
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
		if p.over[c] {
			continue
		}
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
		if waiting[c] && p.steps[c] != p.model.Steps(c) {
			return fmt.Errorf("%s was told to be on step %d of the ladder, should be %d", c, p.steps[c], p.model.Steps(c))
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
		if (visit.Left == nil) != waiting[c] || open != p.model.Offers(c)+len(p.model.Calling(c)) || call.CountOffers(offers) != p.rings[c] {
			return fmt.Errorf("%s: waits %t, %d of %d offers open after %d rings, should be %t and %d",
				c, visit.Left == nil, open, len(offers), p.rings[c], waiting[c], p.model.Offers(c))
		}
		if err := p.explained(seat.Decisions(), offers); err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
		p.over[c] = visit.Left != nil
	}
	return nil
}

// explained holds what a seat decided against the offers made: each was decided on, in order, and everybody who
// serves the queue is accounted for.
func (p *pair) explained(decisions []call.Decision, offers []call.Offer) error {
	var chosen, rung []string
	for i, d := range decisions {
		switch {
		case d.Later == 0:
		case i == call.MaxDecisions-1:
			return nil // those that came later are not kept
		default:
			return fmt.Errorf("%d decisions are not kept, though there is room: %+v", d.Later, d)
		}
		chosen = append(chosen, d.Chosen...)
		if !p.exact {
			continue
		}
		if err := p.accounted(d); err != nil {
			return err
		}
	}
	for _, o := range offers {
		if o.Number == "" {
			rung = append(rung, o.Agent)
		}
	}
	if all := call.CountOffers(offers) == len(offers); all && !slices.Equal(chosen, rung) {
		return fmt.Errorf("chosen were %v, rung %v", chosen, rung)
	}
	return nil
}

// accounted holds a decision against those who serve the queue.
func (p *pair) accounted(d call.Decision) error {
	if len(d.Chosen) > len(d.Candidates)+d.More {
		return fmt.Errorf("more were chosen than could be: %+v", d)
	}
	serving, counted := p.serving[d.Queue], len(d.Candidates)+d.More
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
	return nil
}

// rest ends everything, and wants every agent ready and every offer ended.
func (p *pair) rest() error {
	if p.more != nil {
		p.more(step{Do: "rest"})
	}
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
	for _, a := range p.model.Agents() {
		p.lab.center.Flow(a, true)
		p.model.Flow(a, true)
		p.log(a, "", true)
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
	clear(p.over) // nothing has come to those who were gone
	if err := p.compare(); err != nil {
		return fmt.Errorf("in the end: %w", err)
	}
	for _, a := range acd.Must(p.lab.center.Agents()) {
		if a.State != call.AgentReady {
			return fmt.Errorf("agent %s is left %s", a.ID, a.State)
		}
	}
	return nil
}
