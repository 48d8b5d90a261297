package storetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/site"
)

// BookAt is a book under test, which nobody has entered.
type BookAt struct {
	site.Book
	// Advance has the book's clock go on, and Empty the book lose everything.
	Advance func(time.Duration)
	Empty   func()
}

// The nodes, agents and the lease of the suite.
const (
	nodeA, nodeB, nodeC call.NodeID = "a.1", "b.1", "c.1"
	nodeA2              call.NodeID = "a.2"
	anna, ben                       = "8001", "8002"
	lease                           = 5 * time.Second
	answered, failed                = "answered", "failed"
)

// dawn is Day as books have it.
var dawn = Day.UTC()

// RunBook runs the suite of a site's book. open makes an empty one with the bounds.
func RunBook(t *testing.T, open func(*testing.T, site.Bounds) BookAt) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*testing.T, BookAt)
	}{
		{"Enter", testEnter},
		{"EnterBadly", testEnterBadly},
		{"EpochRises", testEpochRises},
		{"Renew", testRenew},
		{"Leave", testLeave},
		{"DeadLeaveNothing", testDeadLeaveNothing},
		{"Unentered", testUnentered},
		{"SaidByTheSpeaker", testSaidByTheSpeaker},
		{"SayRefused", testSayRefused},
		{"Flows", testFlows},
		{"Callers", testCallers},
		{"Rests", testRests},
		{"BookShifts", testBookShifts},
		{"Places", testPlaces},
		{"Regulars", testRegulars},
		{"Bounded", testBounded},
		{"StrangeNames", testStrangeNames},
		{"Claim", testClaim},
		{"ClaimRefused", testClaimRefused},
		{"ClaimOnce", testClaimOnce},
		{"Mark", testMark},
		{"Release", testRelease},
		{"AbandonAndClear", testAbandonAndClear},
		{"Raise", testRaise},
		{"Resume", testResume},
		{"ResumeOwnRun", testResumeOwnRun},
		{"Log", testLog},
		{"LogWaits", testLogWaits},
		{"LogGap", testLogGap},
		{"LogOld", testLogOld},
		{"Emptied", testEmptied},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t, smallBounds())) })
	}
}

// smallBounds are bounds that a test comes to. Redis cuts its log by blocks of a hundred.
func smallBounds() site.Bounds {
	return site.Bounds{Log: 200, LogFor: time.Minute, Places: 3, Regulars: 3, Agents: 3, RegularsFor: time.Hour}
}

func node(id call.NodeID) site.Node {
	return site.Node{ID: id, Name: "node " + string(id), SIP: "127.0.0.1:5070", HTTP: "127.0.0.1:8080", Lease: lease}
}

// enter has nodes enter, and returns the last one's lease.
func enter(t *testing.T, b site.Book, ids ...call.NodeID) (l site.Lease) {
	t.Helper()
	var err error
	for _, id := range ids {
		l, err = b.Enter(t.Context(), node(id), site.Lease{})
		require.NoError(t, err)
	}
	return l
}

func say(t *testing.T, b site.Book, id call.NodeID, facts ...call.SiteFact) {
	t.Helper()
	require.NoError(t, b.Say(t.Context(), id, facts...))
}

func view(t *testing.T, b site.Book) site.View {
	t.Helper()
	v, err := b.Read(t.Context())
	require.NoError(t, err)
	return v
}

// facts are the book's.
func facts(t *testing.T, b site.Book) []call.SiteFact {
	t.Helper()
	return view(t, b).Facts
}

// silent fails unless what is done writes nothing into the log.
func silent(t *testing.T, b site.Book, do func()) {
	t.Helper()
	before := view(t, b).At
	do()
	require.Equal(t, before, view(t, b).At, "nothing changed: nothing is in the log")
}

func flow(agent string, edge call.NodeID, since time.Time) call.SiteFact {
	return call.SiteFact{Flow: &call.SiteFlow{Agent: agent, Edge: edge, Since: since}}
}

func caller(id string, owner call.NodeID) call.SiteFact {
	return call.SiteFact{Caller: &call.SiteCaller{Call: id, Owner: owner, Queue: consult, From: "13800000001", Entered: dawn, Came: dawn}}
}

func testEnter(t *testing.T, b BookAt) {
	t.Helper()
	l := enter(t, b, nodeB, nodeA)
	require.Equal(t, l.Now.Add(lease), l.Until)
	require.NotEmpty(t, l.Book)
	require.EqualValues(t, 1, l.Epoch)
	v := view(t, b)
	require.Equal(t, []site.Node{node(nodeA), node(nodeB)}, v.Nodes)
	require.Empty(t, v.Facts)
	require.EqualValues(t, 1, v.Epoch)
	require.False(t, v.Now.Before(l.Now))
	_, err := b.Enter(t.Context(), node(nodeA), l)
	require.ErrorIs(t, err, site.ErrTaken)
	// One whose lease is over is declared dead first: its id is free.
	b.Advance(lease)
	_, err = b.Enter(t.Context(), node(nodeA), l)
	require.NoError(t, err)
	require.Equal(t, []site.Node{node(nodeA)}, view(t, b).Nodes)
}

func testEnterBadly(t *testing.T, b BookAt) {
	t.Helper()
	for _, n := range []site.Node{
		{Lease: lease},
		{ID: ".1", Lease: lease},
		{ID: "a\n.1", Lease: lease},
		{ID: nodeA},
		{ID: nodeA, Lease: time.Hour},
	} {
		_, err := b.Enter(t.Context(), n, site.Lease{})
		require.Error(t, err, n)
	}
	_, err := b.Enter(t.Context(), node(nodeA), site.Lease{Epoch: site.MaxToken})
	require.ErrorIs(t, err, site.ErrRange)
	require.Empty(t, view(t, b).Nodes)
}

// testEpochRises: what a node remembers of a book decides the epoch of one that does not.
func testEpochRises(t *testing.T, b BookAt) {
	t.Helper()
	first := enter(t, b, nodeA)
	enterAfter := func(id call.NodeID, last site.Lease) site.Lease {
		l, err := b.Enter(t.Context(), node(id), last)
		require.NoError(t, err)
		return l
	}
	require.Equal(t, first.Epoch, enterAfter(nodeB, first).Epoch, "the same book")
	require.Equal(t, first.Epoch, enterAfter("d.1", site.Lease{Epoch: first.Epoch - 1, Book: "another"}).Epoch, "a lesser epoch was before")
	second := enterAfter(nodeC, site.Lease{Epoch: first.Epoch, Book: "another"})
	require.Equal(t, first.Epoch+1, second.Epoch, "another book had the same epoch")
	third := enterAfter("e.1", site.Lease{Epoch: 7, Book: second.Book})
	require.EqualValues(t, 8, third.Epoch, "this book forgot that it had a greater one")
	require.Equal(t, first.Book, third.Book)
	renewed, err := b.Renew(t.Context(), nodeA)
	require.NoError(t, err)
	require.EqualValues(t, 8, renewed.Epoch, "all learn of it")

	b.Empty()
	fourth := enterAfter(nodeA2, third)
	require.EqualValues(t, 9, fourth.Epoch)
	require.NotEqual(t, first.Book, fourth.Book)
	require.EqualValues(t, 9, enterAfter(nodeB, third).Epoch, "the second to come raises nothing")
	say(t, b, nodeB, flow(ben, nodeB, dawn))
	g, err := b.Claim(t.Context(), nodeB, ben, "c1")
	require.NoError(t, err)
	require.Equal(t, call.Token{Epoch: 9, N: 1}, g.Token)
}

func testRenew(t *testing.T, b BookAt) {
	t.Helper()
	first := enter(t, b, nodeA, nodeB)
	b.Advance(lease - time.Millisecond)
	l, err := b.Renew(t.Context(), nodeA)
	require.NoError(t, err)
	require.Equal(t, l.Now.Add(lease), l.Until)
	require.Equal(t, first.Book, l.Book)
	require.Len(t, view(t, b).Nodes, 2, "a millisecond is left to the other")
	b.Advance(time.Millisecond)
	require.ErrorIs(t, b.Say(t.Context(), nodeB, flow(ben, nodeB, dawn)), site.ErrDead, "over, though nobody has said so yet")
	require.Len(t, view(t, b).Nodes, 2)
	at := view(t, b).At
	_, err = b.Renew(t.Context(), nodeA)
	require.NoError(t, err)
	require.Equal(t, []site.Node{node(nodeA)}, view(t, b).Nodes)
	require.Equal(t, []site.Entry{{At: view(t, b).At, Dead: nodeB}}, follow(t, b, at))
	_, err = b.Renew(t.Context(), nodeB)
	require.ErrorIs(t, err, site.ErrDead)
	// Nobody else need be there to declare the last one dead.
	b.Advance(lease)
	_, err = b.Renew(t.Context(), nodeA)
	require.ErrorIs(t, err, site.ErrDead)
	require.Empty(t, view(t, b).Nodes)
}

func testLeave(t *testing.T, b BookAt) {
	t.Helper()
	enter(t, b, nodeA, nodeB)
	at := view(t, b).At
	require.NoError(t, b.Leave(t.Context(), nodeA))
	require.Equal(t, []site.Node{node(nodeB)}, view(t, b).Nodes)
	require.Equal(t, nodeA, follow(t, b, at)[0].Dead)
	require.ErrorIs(t, b.Leave(t.Context(), nodeA), site.ErrDead)
	_, err := b.Renew(t.Context(), nodeA)
	require.ErrorIs(t, err, site.ErrDead)
}

func testDeadLeaveNothing(t *testing.T, b BookAt) {
	t.Helper()
	enter(t, b, nodeA, nodeB)
	say(t, b, nodeA, flow(anna, nodeA, dawn), caller("c1", nodeA))
	say(t, b, nodeB, flow(ben, nodeB, dawn), caller("c2", nodeB))
	byA, err := b.Claim(t.Context(), nodeA, ben, "c1")
	require.NoError(t, err)
	byB, err := b.Claim(t.Context(), nodeB, anna, "c2")
	require.NoError(t, err)
	require.NoError(t, b.Leave(t.Context(), nodeA))
	got := facts(t, b)
	require.Len(t, got, 4)
	require.Equal(t, ben, got[0].Flow.Agent)
	require.Equal(t, "c2", got[1].Caller.Call)
	require.Equal(t, call.SiteClaim{Agent: anna, Call: "c2", Owner: nodeB, Edge: nodeA, Token: byB.Token, Since: byB.Now}, *got[2].Claim)
	require.Equal(t, call.SiteClaim{Agent: ben, Call: "c1", Owner: nodeA, Edge: nodeB, Token: byA.Token, Since: byA.Now, Orphan: true}, *got[3].Claim)
	// A flow comes back with whoever says it, be it an older one: its edge is dead.
	say(t, b, nodeB, flow(anna, nodeB, dawn.Add(-time.Hour)))
	require.Equal(t, nodeB, facts(t, b)[0].Flow.Edge)
}

// testUnentered: a book that nobody has entered, or that was lost, knows nobody.
func testUnentered(t *testing.T, b BookAt) {
	t.Helper()
	require.Equal(t, site.View{Now: view(t, b).Now}, view(t, b))
	_, err := b.Renew(t.Context(), nodeA)
	require.ErrorIs(t, err, site.ErrDead)
	require.ErrorIs(t, b.Leave(t.Context(), nodeA), site.ErrDead)
	require.ErrorIs(t, b.Say(t.Context(), nodeA, caller("c1", nodeA)), site.ErrDead)
	_, err = b.Claim(t.Context(), nodeA, anna, "c1")
	require.ErrorIs(t, err, site.ErrDead)
	token := call.Token{Epoch: 3, N: 4}
	require.ErrorIs(t, b.Resume(t.Context(), call.SiteClaim{Agent: anna, Owner: nodeA, Token: token}), site.ErrDead)
	require.NoError(t, b.Mark(t.Context(), call.SiteClaim{Agent: anna, Owner: nodeA, Token: token, Rung: dawn}))
	require.NoError(t, b.Release(t.Context(), nodeA, call.SiteRest{Agent: anna, Token: token}))
	require.NoError(t, b.Abandon(t.Context(), nodeA, anna, token))
	require.NoError(t, b.Clear(t.Context(), anna, token))
	require.NoError(t, b.Raise(t.Context(), token))
	require.EqualValues(t, 1, enter(t, b, nodeA).Epoch, "a book that is not there was not raised")
}

// claimers has n goroutines do something at once.
func claimers(n int, do func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(i) })
	}
	all.Wait()
}

// follow returns all that is behind a place, without waiting for more.
func follow(t *testing.T, b site.Book, at site.Place) (all []site.Entry) {
	t.Helper()
	for end := view(t, b).At; at != end; at = all[len(all)-1].At {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		entries, err := b.Follow(ctx, at)
		cancel()
		require.NoError(t, err)
		require.NotEmpty(t, entries)
		all = append(all, entries...)
	}
	return all
}

// patience is how long a test waits for what should come at once.
const patience = 20 * time.Second
