package acd_test

import (
	"fmt"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/acd"
	"hotline/call"
)

// books are what must hold of any desk after any event, whatever rules the model has: they know what the phones, the
// legs and the seats say, and nothing of why. An offer is followed from its ring to its end; so is a caller.
type books struct {
	lab      *lab
	registry *prometheus.Registry

	mu    sync.Mutex
	deeds []acd.Deed // since the last look

	rung  map[string]int          // how often agents' phones were rung, by caller
	ended map[string][]call.Offer // the offers that had ended at the last look, by caller
	legs  map[call.Leg]string     // by whom each leg was had for an answer
}

// keepBooks has the desk of these options spied on; lab is set once there is one.
func keepBooks(o *acd.Options) *books {
	b := &books{
		registry: prometheus.NewRegistry(), rung: map[string]int{}, ended: map[string][]call.Offer{}, legs: map[call.Leg]string{},
	}
	o.Registry = b.registry
	o.Spy(func(d acd.Deed) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.deeds = append(b.deeds, d)
	})
	return b
}

// check looks at everything, and returns the first thing that does not hold.
func (b *books) check() error {
	if err := b.checkDeeds(); err != nil {
		return err
	}
	open := map[string]string{} // calls, by agent
	ended := 0
	for _, c := range b.lab.names {
		visit, offers := b.lab.seats[c].Visit()
		if err := b.checkVisit(c, visit); err != nil {
			return err
		}
		if err := b.checkEnded(c, offers); err != nil {
			return err
		}
		for _, o := range offers {
			switch {
			case o.Ended != nil || o.Number != "":
			case visit.Left != nil:
				return fmt.Errorf("%s has gone, and %s is rung for them", c, o.Agent)
			case open[o.Agent] != "":
				return fmt.Errorf("%s is rung for %s and for %s", o.Agent, open[o.Agent], c)
			default:
				open[o.Agent] = c
			}
		}
		if visit.Queue != "" { // calls between people are in no figures
			ended += b.toAgents(c, offers) - count(offers, func(o call.Offer) bool { return o.Ended == nil && o.Number == "" })
		}
	}
	if err := b.checkAgents(open); err != nil {
		return err
	}
	counted, err := b.counted()
	if err == nil && counted != ended {
		err = fmt.Errorf("%d offers ended by the figures, %d by the records", counted, ended)
	}
	return err
}

// toAgents is how many offers of a caller were to agents, and not to numbers outside. Of those that a record leaves out it
// does not say which they were.
func (b *books) toAgents(c string, offers []call.Offer) int {
	if call.CountOffers(offers) > len(offers) {
		return b.rung[c]
	}
	return count(offers, func(o call.Offer) bool { return o.Number == "" })
}

// checkDeeds: no phone is rung for one call and taken back for another within one match.
func (b *books) checkDeeds() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	deeds := b.deeds
	b.deeds = nil
	rung := map[string]acd.Deed{}
	for _, d := range deeds {
		if d.Rung {
			rung[d.Agent] = d
			b.rung[d.Call]++
			continue
		}
		if d.Match > 0 && rung[d.Agent].Match == d.Match && d.For != d.Call {
			return fmt.Errorf("%s was rung for %s and taken back for %s within one match", d.Agent, d.Call, d.For)
		}
	}
	return nil
}

// checkVisit: a caller waits, or has been told once how it ended, as the record has it.
func (b *books) checkVisit(c string, visit call.Visit) error {
	seat := b.lab.seats[c]
	if n := len(seat.Answered()) + len(seat.Failed()) + len(seat.Turned()); n > 0 {
		return fmt.Errorf("%s was told again how it ended", c)
	}
	b.lab.mu.Lock()
	defer b.lab.mu.Unlock()
	answer, answered := b.lab.got[c]
	_, failed := b.lab.failed[c]
	_, turned := b.lab.turned[c]
	told := map[string]bool{"answered": answered, "failed": failed, "overflow": turned}
	for how, is := range told {
		if is != (visit.How == how) {
			return fmt.Errorf("%s: told of %q: %t, and the record has %q", c, how, is, visit.How)
		}
	}
	if (visit.Left == nil) != (visit.How == "") {
		return fmt.Errorf("%s has half left: %+v", c, visit)
	}
	if !answered {
		return nil
	}
	if other := b.legs[answer.Leg]; other != "" && other != c {
		return fmt.Errorf("%s and %s were answered by one leg", other, c)
	}
	b.legs[answer.Leg] = c
	return nil
}

// checkEnded: an offer that has ended stays as it did.
func (b *books) checkEnded(c string, offers []call.Offer) error {
	if call.CountOffers(offers) > len(offers) {
		return nil // some are left out, so that they cannot be told apart
	}
	now := slices.Clone(offers)
	for i, was := range b.ended[c] {
		if was.Ended != nil && (i >= len(now) || now[i].How != was.How || !now[i].Ended.Equal(*was.Ended) || now[i].Rings != was.Rings) {
			return fmt.Errorf("%s: an offer that had ended as %+v has changed", c, was)
		}
	}
	b.ended[c] = now
	return nil
}

// checkAgents: who talks has a live leg, and who has one talks; a phone rings for who is in an offer and for nobody
// else, and never while there is a leg.
func (b *books) checkAgents(open map[string]string) error {
	for _, a := range acd.Must(b.lab.center.Agents()) {
		leg := b.lab.leg(a.ID)
		live := leg != nil && leg.Context().Err() == nil
		rings := b.lab.phones.bell(a.ID) != nil
		switch {
		case a.State != call.AgentOffline && live != (a.State == call.AgentTalking):
			return fmt.Errorf("%s is %s, with a live leg: %t", a.ID, a.State, live)
		case rings != (open[a.ID] != ""):
			return fmt.Errorf("%s is in the offer of %q, and the phone rings: %t", a.ID, open[a.ID], rings)
		case rings != (a.State == call.AgentRinging):
			return fmt.Errorf("%s is %s, and the phone rings: %t", a.ID, a.State, rings)
		case rings && live:
			return fmt.Errorf("%s is rung for %s in a talk", a.ID, open[a.ID])
		}
		delete(open, a.ID)
	}
	for agent, c := range open {
		return fmt.Errorf("%s, whom there is none of, is rung for %s", agent, c)
	}
	return nil
}

// counted is how many offers have ended by the figures.
func (b *books) counted() (n int, err error) {
	families, err := b.registry.Gather()
	for _, f := range families {
		if f.GetName() != "hotline_offers_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			n += int(m.GetCounter().GetValue())
		}
	}
	return n, err
}

func count[T any](all []T, is func(T) bool) (n int) {
	for _, x := range all {
		if is(x) {
			n++
		}
	}
	return n
}
