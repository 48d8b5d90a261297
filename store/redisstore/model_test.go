package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"hotline/call"
	"hotline/internal/testkit"
	"hotline/site"
	"hotline/store/memstore"
	"hotline/store/redisstore"
)

// TestSameAsModel: whatever is done, in whatever order, the book in Redis answers as the rules in Go do, looks as they do,
// and logs as they do; and the log tells all that changed.
func TestSameAsModel(t *testing.T) {
	server := testkit.StartRedis(t)
	bounds := site.Bounds{Log: 1000, LogFor: time.Minute, Places: 3, Regulars: 3, Agents: 3, RegularsFor: 40 * time.Second}
	book := open(t, redisstore.Options{URL: server.URL(), Bounds: bounds})
	did := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		server.Do(t, "FLUSHALL")
		clock := newHands()
		book.SetClock(clock.now)
		p := &pair{
			clock: clock, bounds: bounds, model: memstore.NewBook(clock.now, bounds), real: book, did: did,
			empty: func() { server.Do(t, "FLUSHALL") },
		}
		p.tokens = []call.Token{{Epoch: 1, N: 3}, {Epoch: 2, N: 1}, {Epoch: 0, N: 9}}
		p.reread(rt)
		for _, id := range []call.NodeID{"a.1", "b.1", "c.1"} {
			p.enter(rt, id)
			p.both(rt, "said", func(b site.Book, _ int) (any, error) {
				return nil, b.Say(context.Background(), id, call.SiteFact{Flow: &call.SiteFlow{Agent: "800" + string(id[0]-'a'+'1')}})
			})
		}
		for range rapid.IntRange(1, 60).Draw(rt, "deeds") {
			p.step(rt)
			p.compare(rt)
		}
	})
	for _, what := range []string{"entered", "renewed", "left", "granted", "taken", "dead", "no flow", "resumed", "orphan cleared", "claim released", "claim orphaned", "said", "emptied"} {
		require.NotZero(t, did[what], "it never came to %q: %v", what, did)
	}
}

// pair is a book and its model, to which the same is done.
type pair struct {
	clock  *hands
	bounds site.Bounds
	model  *memstore.Book
	real   *redisstore.Book
	empty  func()
	last   [2]site.Lease    // of each, the same but for the book's name
	tokens []call.Token     // that were seen
	claims []call.SiteClaim // that there are
	did    map[string]int

	at   [2]site.Place
	told site.View // what the log made of the first view
}

func (p *pair) books() [2]site.Book { return [2]site.Book{p.model, p.real} }

var (
	modelNodes   = rapid.SampledFrom([]call.NodeID{"a.1", "a.2", "b.1", "c.1"})
	modelAgents  = rapid.SampledFrom([]string{"8001", "8002", "8003", "8004"})
	modelCalls   = rapid.SampledFrom([]string{"c1", "c2", "c3"})
	modelNumbers = rapid.SampledFrom([]string{"1", "2", "3", "4"})
	modelQueues  = rapid.SampledFrom([]string{"consult", "repair"})
	modelSeconds = rapid.IntRange(-50, 60)
)

func (p *pair) instant(rt *rapid.T, what string) time.Time {
	if rapid.IntRange(0, 4).Draw(rt, what+" told") == 0 {
		return time.Time{}
	}
	return p.clock.now().Add(time.Duration(modelSeconds.Draw(rt, what)) * time.Second)
}

// aim has a deed be about a claim that there is, mostly.
func (p *pair) aim(rt *rapid.T, id call.NodeID, agent string) (call.NodeID, string, call.Token) {
	if len(p.claims) == 0 || rapid.IntRange(0, 3).Draw(rt, "beside") == 0 {
		return id, agent, p.token(rt)
	}
	c := rapid.SampledFrom(p.claims).Draw(rt, "claim")
	if rapid.IntRange(0, 4).Draw(rt, "another's") > 0 {
		id = c.Owner
	}
	return id, c.Agent, c.Token
}

func (p *pair) token(rt *rapid.T) call.Token {
	return rapid.SampledFrom(p.tokens).Draw(rt, "token")
}

// both does something to both, and demands the same answer of both.
func (p *pair) both(rt *rapid.T, what string, do func(b site.Book, i int) (any, error)) (answer any) {
	books := p.books()
	modelled, modelErr := do(books[0], 0)
	got, err := do(books[1], 1)
	for name, class := range map[string]error{"dead": site.ErrDead, "taken": site.ErrTaken, "no flow": site.ErrNoFlow, "range": site.ErrRange} {
		require.Equal(rt, errors.Is(modelErr, class), errors.Is(err, class), "%s: %s: %v, but %v", what, name, modelErr, err)
		if errors.Is(err, class) {
			p.did[name]++
		}
	}
	require.Equal(rt, modelErr == nil, err == nil, "%s: %v, but %v", what, modelErr, err)
	require.Equal(rt, modelled, got, what)
	if err == nil {
		p.did[what]++
	}
	return got
}

// step does one thing.
func (p *pair) step(rt *rapid.T) {
	ctx := context.Background()
	id, agent := modelNodes.Draw(rt, "node"), modelAgents.Draw(rt, "agent")
	switch rapid.IntRange(0, 15).Draw(rt, "deed") {
	case 0, 1:
		p.enter(rt, id)
	case 2:
		p.both(rt, "renewed", func(b site.Book, i int) (any, error) { return p.lease(i)(b.Renew(ctx, id)) })
	case 3:
		p.both(rt, "left", func(b site.Book, _ int) (any, error) { return nil, b.Leave(ctx, id) })
	case 4, 5, 6, 7:
		facts := rapid.SliceOfN(rapid.Custom(p.fact), 0, 4).Draw(rt, "facts")
		p.both(rt, "said", func(b site.Book, _ int) (any, error) { return nil, b.Say(ctx, id, facts...) })
	case 8, 9:
		c := modelCalls.Draw(rt, "call")
		g, _ := p.both(rt, "granted", func(b site.Book, _ int) (any, error) { return b.Claim(ctx, id, agent, c) }).(site.Grant)
		if g.Token.N != 0 {
			p.tokens = append(p.tokens, g.Token)
		}
	case 10:
		c := p.claim(rt, id, agent)
		p.both(rt, "marked", func(b site.Book, _ int) (any, error) { return nil, b.Mark(ctx, c) })
	case 11:
		r := *p.rest(rt)
		id, r.Agent, r.Token = p.aim(rt, id, agent)
		p.both(rt, "released", func(b site.Book, _ int) (any, error) { return nil, b.Release(ctx, id, r) })
	case 12:
		id, agent, token := p.aim(rt, id, agent)
		p.both(rt, "abandoned", func(b site.Book, _ int) (any, error) { return nil, b.Abandon(ctx, id, agent, token) })
	case 13:
		_, agent, token := p.aim(rt, id, agent)
		p.both(rt, "cleared", func(b site.Book, _ int) (any, error) { return nil, b.Clear(ctx, agent, token) })
	case 14:
		c := p.claim(rt, id, agent)
		p.both(rt, "resumed", func(b site.Book, _ int) (any, error) { return nil, b.Resume(ctx, c) })
	default:
		p.seldom(rt)
	}
}

func (p *pair) enter(rt *rapid.T, id call.NodeID) {
	n := site.Node{ID: id, Name: string(id), Lease: time.Duration(rapid.IntRange(1, 10).Draw(rt, "lease")) * time.Second}
	none := rapid.Bool().Draw(rt, "without memory")
	p.both(rt, "entered", func(b site.Book, i int) (any, error) {
		last := p.last[i]
		if none {
			last = site.Lease{}
		}
		return p.lease(i)(b.Enter(context.Background(), n, last))
	})
}

// lease keeps a lease, and takes the book's name out of it.
func (p *pair) lease(i int) func(site.Lease, error) (any, error) {
	return func(l site.Lease, err error) (any, error) {
		if err == nil {
			p.last[i] = l
		}
		l.Book = ""
		return l, err
	}
}

// seldom is what happens seldom: time goes on, tokens are raised, all is lost.
func (p *pair) seldom(rt *rapid.T) {
	switch rapid.IntRange(0, 6).Draw(rt, "seldom") {
	case 0:
		p.model.Empty()
		p.empty()
		p.reread(rt)
		p.did["emptied"]++
	case 1:
		token := p.token(rt)
		token.N += uint64(rapid.IntRange(0, 3).Draw(rt, "more"))
		p.both(rt, "raised", func(b site.Book, _ int) (any, error) { return nil, b.Raise(context.Background(), token) })
	default:
		p.clock.advance(time.Duration(rapid.IntRange(1, 6000).Draw(rt, "ms")) * time.Millisecond)
	}
}

func (p *pair) claim(rt *rapid.T, owner call.NodeID, agent string) call.SiteClaim {
	owner, agent, token := p.aim(rt, owner, agent)
	return call.SiteClaim{
		Agent: agent, Call: modelCalls.Draw(rt, "call"), Owner: owner, Edge: modelNodes.Draw(rt, "edge"), Token: token,
		Since: p.instant(rt, "since"), Rung: p.instant(rt, "rung"), Answered: p.instant(rt, "answered"), Orphan: rapid.Bool().Draw(rt, "orphan"),
	}
}

func (p *pair) rest(rt *rapid.T) *call.SiteRest {
	return &call.SiteRest{
		Agent: modelAgents.Draw(rt, "agent"), How: "answered", Queue: modelQueues.Draw(rt, "queue"), Missed: rapid.IntRange(-1, 2).Draw(rt, "missed"),
		Talked: time.Duration(rapid.IntRange(-1, 1).Draw(rt, "talked")), WrapUntil: p.instant(rt, "wrap"), RestUntil: p.instant(rt, "rest"),
		AlarmRest: p.instant(rt, "alarm"), Idle: p.instant(rt, "idle"), Call: rapid.SampledFrom([]string{"", "", "c1", "c2"}).Draw(rt, "call"),
	}
}

// fact is one that a node says; now and then one that it may not.
func (p *pair) fact(rt *rapid.T) call.SiteFact {
	agent, number, queue := modelAgents.Draw(rt, "agent"), modelNumbers.Draw(rt, "number"), modelQueues.Draw(rt, "queue")
	switch rapid.IntRange(0, 24).Draw(rt, "kind") % 9 {
	case 0:
		return call.SiteFact{Flow: &call.SiteFlow{Agent: agent, Since: p.instant(rt, "since"), Legs: rapid.IntRange(0, 1).Draw(rt, "legs")}}
	case 1:
		return call.SiteFact{FlowGone: &call.SiteFlow{Agent: agent}}
	case 2:
		return call.SiteFact{Caller: &call.SiteCaller{Call: modelCalls.Draw(rt, "call"), Queue: queue, From: number}}
	case 3:
		return call.SiteFact{Gone: &call.SiteCallerGone{Call: modelCalls.Draw(rt, "call"), How: "left"}}
	case 4:
		return call.SiteFact{Rest: p.rest(rt)}
	case 5:
		return call.SiteFact{Shift: &call.Shift{Agent: agent, Paused: rapid.Bool().Draw(rt, "paused"), Out: rapid.SampledFrom([][]string{nil, {"repair"}}).Draw(rt, "out")}}
	case 6:
		return call.SiteFact{Place: &call.SitePlace{Queue: queue, Number: number, Left: p.instant(rt, "left"), Until: p.instant(rt, "until"), Taken: rapid.IntRange(0, 3).Draw(rt, "taken") == 0}}
	case 7:
		return call.SiteFact{Regular: &call.SiteRegular{Queue: queue, Number: number, Agent: agent, At: p.instant(rt, "at")}}
	default:
		return call.SiteFact{Claim: &call.SiteClaim{Agent: agent}}
	}
}

// compare holds both books against each other, and what the log told against what there is.
func (p *pair) compare(rt *rapid.T) {
	var views [2]site.View
	var logs [2][]site.Entry
	for i, b := range p.books() {
		v, err := b.Read(context.Background())
		require.NoError(rt, err)
		for p.at[i] != v.At {
			entries, err := b.Follow(context.Background(), p.at[i])
			require.NoError(rt, err)
			require.NotEmpty(rt, entries)
			p.at[i] = entries[len(entries)-1].At
			logs[i] = append(logs[i], entries...)
		}
		v.At = ""
		views[i] = v
		for k := range logs[i] {
			logs[i][k].At = ""
		}
	}
	require.Equal(rt, views[0], views[1], "the views")
	require.Equal(rt, logs[0], logs[1], "the logs")
	for _, e := range logs[1] {
		p.told = fold(p.told, e)
		p.logged(e)
	}
	p.told.Now, p.told.Epoch = views[1].Now, views[1].Epoch
	require.Equal(rt, p.within(views[1]), p.within(p.told), "what the log told")
	p.claims = nil
	for _, f := range views[1].Facts {
		if f.Claim != nil {
			p.claims = append(p.claims, *f.Claim)
		}
	}
}

// logged counts what was not only asked for, but came to something.
func (p *pair) logged(e site.Entry) {
	if e.Cleared != nil {
		p.did["orphan cleared"]++
	}
	for _, f := range e.Facts {
		if f.Rest != nil && f.Rest.Token != (call.Token{}) {
			p.did["claim released"]++
		}
		if f.Claim != nil && f.Claim.Orphan {
			p.did["claim orphaned"]++
		}
	}
}

// reread begins to follow anew.
func (p *pair) reread(rt *rapid.T) {
	for i, b := range p.books() {
		v, err := b.Read(context.Background())
		require.NoError(rt, err)
		p.at[i], v.At = v.At, ""
		p.told = v
	}
}

// within leaves out what the log does not tell of: what ends by the clock, and what there was too much of.
func (p *pair) within(v site.View) (lines []string) {
	for _, n := range v.Nodes {
		lines = append(lines, fmt.Sprintf("node %+v", n))
	}
	for _, f := range v.Facts {
		switch {
		case f.Flow != nil:
			lines = append(lines, fmt.Sprintf("flow %+v", *f.Flow))
		case f.Caller != nil:
			lines = append(lines, fmt.Sprintf("caller %+v", *f.Caller))
		case f.Claim != nil:
			lines = append(lines, fmt.Sprintf("claim %+v", *f.Claim))
		}
	}
	slices.Sort(lines)
	return lines
}

// fold is a view after one more entry of the log, as a node's desk would have it.
func fold(v site.View, e site.Entry) site.View {
	drop := func(gone func(call.SiteFact) bool) { v.Facts = slices.DeleteFunc(slices.Clone(v.Facts), gone) }
	claimOn := func(agent string) func(call.SiteFact) bool {
		return func(f call.SiteFact) bool { return f.Claim != nil && f.Claim.Agent == agent }
	}
	if e.Node != nil {
		v.Nodes = append(slices.Clone(v.Nodes), *e.Node)
	}
	if e.Dead != "" {
		v.Nodes = slices.DeleteFunc(slices.Clone(v.Nodes), func(n site.Node) bool { return n.ID == e.Dead })
		drop(func(f call.SiteFact) bool {
			return f.Flow != nil && f.Flow.Edge == e.Dead || f.Caller != nil && f.Caller.Owner == e.Dead
		})
		for i, f := range v.Facts {
			if f.Claim != nil && f.Claim.Owner == e.Dead {
				orphan := *f.Claim
				orphan.Orphan = true
				v.Facts[i].Claim = &orphan
			}
		}
	}
	if e.Cleared != nil {
		drop(claimOn(e.Cleared.Agent))
	}
	for _, said := range e.Facts {
		switch {
		case said.Flow != nil:
			drop(func(f call.SiteFact) bool { return f.Flow != nil && f.Flow.Agent == said.Flow.Agent })
			v.Facts = append(v.Facts, said)
		case said.FlowGone != nil:
			drop(func(f call.SiteFact) bool { return f.Flow != nil && *f.Flow == *said.FlowGone })
		case said.Caller != nil:
			drop(func(f call.SiteFact) bool { return f.Caller != nil && f.Caller.Call == said.Caller.Call })
			v.Facts = append(v.Facts, said)
		case said.Gone != nil:
			drop(func(f call.SiteFact) bool { return f.Caller != nil && f.Caller.Call == said.Gone.Call })
		case said.Claim != nil:
			drop(claimOn(said.Claim.Agent))
			v.Facts = append(v.Facts, said)
		case said.Rest != nil && said.Rest.Token != (call.Token{}):
			drop(claimOn(said.Rest.Agent))
		}
	}
	return v
}
