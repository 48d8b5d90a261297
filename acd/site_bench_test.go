package acd

import (
	"testing"
	"time"

	"hotline/call"
)

// unheard is a site that nobody listens to.
type unheard struct{}

func (unheard) Say(...call.SiteFact) {}

func (unheard) Order(at time.Time) int64 { return at.UnixMicro() }

func (unheard) Release(string, string, call.SiteRest) {}

// share has the desk of a benchmark be one of a site, in which others have so many of each ten callers and agents.
func (d *desk) share(others int) {
	d.o.Site = unheard{}
	d.site = newSiteDesk(d.o)
	d.site.self, d.site.state = "here.1", call.SiteJoined
	for i, a := range d.agents {
		if a.here = true; i%10 < others {
			a.here, a.beyond = false, &call.SiteFlow{Agent: a.ID, Edge: "there.1"}
		}
	}
	for _, q := range d.queues {
		for i, c := range q.waiting.items {
			if i%10 < others {
				c.remote = &call.SiteCaller{Call: c.CallID, Owner: "there.1", Queue: c.Queue}
				d.site.callers[keyOf("there.1", c.CallID)] = c
			}
		}
	}
}

// BenchmarkSiteMatch: what BenchmarkMatch does, at one of four nodes that share its agents and callers. It reports how many
// times longer that takes than at a node alone, in the same run: the cost of a match does not grow with the nodes.
func BenchmarkSiteMatch(b *testing.B) {
	alone, shared := bench(b), bench(b)
	shared.share(7)
	pair := func(d *desk, a *agent) {
		a.paused = false
		d.refresh(a)
		c, _ := d.touched.first()
		c.want().remove(c)
		a.paused = true
		d.refresh(a)
		d.index(c)
		d.touched.clear()
	}
	var spent [2]time.Duration
	n := 0
	for b.Loop() {
		for k := range 2 {
			i := (k + n) % 2 // neither always finds the caches as the other left them
			d := []*desk{alone, shared}[i]
			began := time.Now()
			pair(d, d.agents[n*13%benchAgents])
			spent[i] += time.Since(began)
		}
		n++
	}
	b.ReportMetric(float64(spent[1])/float64(spent[0]), "times-alone")
}

// BenchmarkSiteLearn: another node's caller comes, is rung, answered, talks and is given back, as each node hears of every
// call of the site. It reports how many matches of a node alone that is worth, in the same run.
func BenchmarkSiteLearn(b *testing.B) {
	alone, d := bench(b), bench(b)
	d.share(0)
	token := call.Token{Epoch: 1}
	do := func(f func()) { f() }
	a := d.agents[0]
	d.setFlow(a, false)
	d.learnFlow(&call.SiteFlow{Agent: a.ID, Edge: "there.1"}, nil)
	learn := func(f call.SiteFact) {
		d.learn(&call.SiteNews{Self: "here.1", State: call.SiteJoined, Facts: []call.SiteFact{f}}, do, func() {})
	}
	var spent [2]time.Duration
	for n := 0; b.Loop(); n++ {
		began := time.Now()
		x := alone.agents[n*13%benchAgents]
		x.paused = false
		alone.refresh(x)
		c, _ := alone.touched.first()
		c.want().remove(c)
		x.paused = true
		alone.refresh(x)
		alone.index(c)
		alone.touched.clear()
		spent[0] += time.Since(began)

		began = time.Now()
		token.N++
		claim := call.SiteClaim{Agent: a.ID, Call: "x", Owner: "there.1", Edge: "there.1", Token: token, Since: d.now}
		learn(call.SiteFact{Caller: &call.SiteCaller{Call: "x", Owner: "there.1", Queue: "queue-0", Entered: d.now, Came: d.now}})
		learn(call.SiteFact{Claim: &claim})
		claim.Answered = d.now
		learn(call.SiteFact{Claim: &claim})
		learn(call.SiteFact{Gone: &call.SiteCallerGone{Call: "x", Owner: "there.1", How: howAnswered, At: d.now, Agent: a.ID}})
		learn(call.SiteFact{Rest: &call.SiteRest{Agent: a.ID, By: "there.1", Token: token, How: howAnswered, Idle: d.now}})
		d.touched.clear()
		spent[1] += time.Since(began)
	}
	b.ReportMetric(float64(spent[1])/float64(spent[0]), "matches-a-call")
}
