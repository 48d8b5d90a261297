package storetest

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/site"
)

// claimed has both nodes enter, anna be at B, and A claim her.
func claimed(t *testing.T, b site.Book) site.Grant {
	t.Helper()
	enter(t, b, nodeA, nodeB)
	say(t, b, nodeB, flow(anna, nodeB, dawn))
	g, err := b.Claim(t.Context(), nodeA, anna, "c1")
	require.NoError(t, err)
	return g
}

// theClaim is the only one.
func theClaim(t *testing.T, b site.Book) *call.SiteClaim {
	t.Helper()
	var found *call.SiteClaim
	for _, f := range facts(t, b) {
		if f.Claim != nil {
			require.Nil(t, found)
			found = f.Claim
		}
	}
	return found
}

func testClaim(t *testing.T, b BookAt) {
	t.Helper()
	entered := enter(t, b, nodeB, nodeA)
	say(t, b, nodeB, flow(anna, nodeB, dawn), flow(ben, nodeB, dawn))
	b.Advance(time.Second)
	at := view(t, b).At
	g, err := b.Claim(t.Context(), nodeA, anna, "c1")
	require.NoError(t, err)
	require.Equal(t, site.Grant{Token: call.Token{Epoch: 1, N: 1}, Edge: nodeB, Now: g.Now, Until: entered.Until, Epoch: 1}, g)
	require.False(t, g.Now.Before(entered.Now.Add(time.Second)))
	c := call.SiteClaim{Agent: anna, Call: "c1", Owner: nodeA, Edge: nodeB, Token: g.Token, Since: g.Now}
	require.Equal(t, c, *theClaim(t, b))
	require.Equal(t, []call.SiteFact{{Claim: &c}}, follow(t, b, at)[0].Facts)
	next, err := b.Claim(t.Context(), nodeB, ben, "c2")
	require.NoError(t, err)
	require.Positive(t, next.Token.Compare(g.Token))
}

func testClaimRefused(t *testing.T, b BookAt) {
	t.Helper()
	claimed(t, b)
	claim := func(id call.NodeID, agent string) error {
		_, err := b.Claim(t.Context(), id, agent, "c2")
		return err
	}
	silent(t, b, func() {
		require.ErrorIs(t, claim(nodeC, anna), site.ErrDead)
		require.ErrorIs(t, claim(nodeB, anna), site.ErrTaken)
		require.ErrorIs(t, claim(nodeA, anna), site.ErrTaken, "its own, too: whether it was granted is not asked by claiming")
		require.ErrorIs(t, claim(nodeA, ben), site.ErrNoFlow)
	})
	require.NoError(t, b.Leave(t.Context(), nodeA))
	require.ErrorIs(t, claim(nodeB, anna), site.ErrTaken, "an orphan is a claim")
	say(t, b, nodeB, flow(ben, nodeB, dawn))
	enter(t, b, nodeC)
	b.Advance(lease - time.Second)
	_, err := b.Renew(t.Context(), nodeC)
	require.NoError(t, err)
	b.Advance(time.Second)
	require.ErrorIs(t, claim(nodeC, ben), site.ErrNoFlow, "the edge's lease is over")
	require.ErrorIs(t, claim(nodeB, ben), site.ErrDead)
}

// testClaimOnce: whoever claims at the same time, one gets it, and no token is given twice.
func testClaimOnce(t *testing.T, b BookAt) {
	t.Helper()
	enter(t, b, nodeA, nodeB)
	agents := []string{"1", "2", "3", "4", "5"}
	for _, a := range agents {
		say(t, b, nodeA, flow(a, nodeA, dawn))
	}
	const each = 8
	var granted, refused atomic.Int64
	claimers(each*len(agents), func(i int) {
		_, err := b.Claim(t.Context(), []call.NodeID{nodeA, nodeB}[i%2], agents[i/each], "c")
		switch {
		case err == nil:
			granted.Add(1)
		case errors.Is(err, site.ErrTaken):
			refused.Add(1)
		}
	})
	require.EqualValues(t, len(agents), granted.Load())
	require.EqualValues(t, (each-1)*len(agents), refused.Load())
	tokens := map[call.Token]bool{}
	for _, f := range facts(t, b) {
		if f.Claim != nil {
			tokens[f.Claim.Token] = true
		}
	}
	require.Len(t, tokens, len(agents))
}

func testMark(t *testing.T, b BookAt) {
	t.Helper()
	g := claimed(t, b)
	c := *theClaim(t, b)
	mark := func(owner call.NodeID, token call.Token, rung, answered time.Time) {
		t.Helper()
		require.NoError(t, b.Mark(t.Context(), call.SiteClaim{Agent: anna, Owner: owner, Token: token, Rung: rung, Answered: answered}))
	}
	silent(t, b, func() {
		mark(nodeB, g.Token, dawn, dawn)
		mark(nodeA, call.Token{Epoch: 1, N: 2}, dawn, dawn)
		mark(nodeA, g.Token, time.Time{}, time.Time{})
		require.NoError(t, b.Mark(t.Context(), call.SiteClaim{Agent: ben, Owner: nodeA, Token: g.Token, Rung: dawn}))
	})
	mark(nodeA, g.Token, dawn, time.Time{})
	at := view(t, b).At
	mark(nodeA2, g.Token, time.Time{}, dawn.Add(time.Second))
	c.Rung, c.Answered = dawn, dawn.Add(time.Second)
	require.Equal(t, c, *theClaim(t, b), "the one leaves the other as it was")
	require.Equal(t, []call.SiteFact{{Claim: &c}}, follow(t, b, at)[0].Facts)
	silent(t, b, func() { mark(nodeA, g.Token, dawn, dawn.Add(time.Second)) })
}

func testRelease(t *testing.T, b BookAt) {
	t.Helper()
	g := claimed(t, b)
	say(t, b, nodeB, call.SiteFact{Rest: &call.SiteRest{Agent: anna, AlarmRest: dawn}})
	rest := call.SiteRest{Agent: anna, Token: g.Token, How: answered, Queue: consult, Talked: 90 * time.Second, WrapUntil: dawn, Idle: dawn}
	other := rest
	other.Token.N++
	another := rest
	another.Call = "c2"
	silent(t, b, func() {
		require.NoError(t, b.Release(t.Context(), nodeB, rest), "it is the other's")
		require.NoError(t, b.Release(t.Context(), nodeA, other), "of another token")
		require.NoError(t, b.Release(t.Context(), nodeA, another), "of another call: a failover gave the token twice")
	})
	require.NotNil(t, theClaim(t, b))
	rest.Call = "c1"
	at := view(t, b).At
	require.NoError(t, b.Release(t.Context(), nodeA, rest))
	require.Nil(t, theClaim(t, b))
	rest.By = nodeA
	merged := rest
	merged.AlarmRest = dawn
	require.Equal(t, merged, *facts(t, b)[1].Rest)
	require.Equal(t, []call.SiteFact{{Rest: &rest}}, follow(t, b, at)[0].Facts)
	silent(t, b, func() { require.NoError(t, b.Release(t.Context(), nodeA, rest)) })
	next, err := b.Claim(t.Context(), nodeB, anna, "c2")
	require.NoError(t, err)
	require.Positive(t, next.Token.Compare(g.Token))
}

func testAbandonAndClear(t *testing.T, b BookAt) {
	t.Helper()
	g := claimed(t, b)
	other := call.Token{Epoch: g.Token.Epoch, N: g.Token.N + 1}
	silent(t, b, func() {
		require.NoError(t, b.Clear(t.Context(), anna, g.Token), "no orphan")
		require.NoError(t, b.Abandon(t.Context(), nodeB, anna, g.Token), "it is the other's")
		require.NoError(t, b.Abandon(t.Context(), nodeA, anna, other), "of another token")
	})
	at := view(t, b).At
	require.NoError(t, b.Abandon(t.Context(), nodeA, anna, g.Token))
	orphan := *theClaim(t, b)
	require.True(t, orphan.Orphan)
	require.Equal(t, []call.SiteFact{{Claim: &orphan}}, follow(t, b, at)[0].Facts)
	silent(t, b, func() {
		require.NoError(t, b.Abandon(t.Context(), nodeA, anna, g.Token))
		require.NoError(t, b.Clear(t.Context(), anna, other))
	})
	at = view(t, b).At
	require.NoError(t, b.Clear(t.Context(), anna, g.Token))
	require.Nil(t, theClaim(t, b))
	require.Equal(t, []site.Entry{{At: view(t, b).At, Cleared: &orphan}}, follow(t, b, at))
	silent(t, b, func() { require.NoError(t, b.Clear(t.Context(), anna, g.Token)) })
}

func testRaise(t *testing.T, b BookAt) {
	t.Helper()
	enter(t, b, nodeA)
	say(t, b, nodeA, flow(anna, nodeA, dawn))
	for _, c := range []struct{ raise, next call.Token }{
		{call.Token{Epoch: 1, N: 10}, call.Token{Epoch: 1, N: 11}},
		{call.Token{Epoch: 1, N: 9}, call.Token{Epoch: 1, N: 12}},
		{call.Token{Epoch: 0, N: 100}, call.Token{Epoch: 1, N: 13}},
		{call.Token{Epoch: 4, N: 2}, call.Token{Epoch: 4, N: 3}},
		{call.Token{Epoch: 4, N: site.MaxToken - 1}, call.Token{Epoch: 4, N: site.MaxToken}},
	} {
		require.NoError(t, b.Raise(t.Context(), c.raise))
		g, err := b.Claim(t.Context(), nodeA, anna, "c1")
		require.NoError(t, err)
		require.Equal(t, c.next, g.Token)
		require.NoError(t, b.Release(t.Context(), nodeA, call.SiteRest{Agent: anna, Token: g.Token}))
	}
	_, err := b.Claim(t.Context(), nodeA, anna, "c1")
	require.ErrorIs(t, err, site.ErrRange, "there is none above it")
	require.ErrorIs(t, b.Raise(t.Context(), call.Token{Epoch: 4, N: site.MaxToken + 1}), site.ErrRange)
	require.ErrorIs(t, b.Raise(t.Context(), call.Token{Epoch: site.MaxToken + 1}), site.ErrRange)
	require.ErrorIs(t, b.Resume(t.Context(), call.SiteClaim{Agent: anna, Owner: nodeA, Token: call.Token{N: 1 << 63}}), site.ErrRange)
	require.EqualValues(t, 4, view(t, b).Epoch)
}

func testResume(t *testing.T, b BookAt) {
	t.Helper()
	g := claimed(t, b)
	mine := call.SiteClaim{Agent: anna, Call: "c9", Owner: nodeB, Edge: nodeB, Token: g.Token, Since: dawn, Rung: dawn, Answered: dawn.Add(time.Second)}
	silent(t, b, func() {
		require.ErrorIs(t, b.Resume(t.Context(), mine), site.ErrTaken, "the same token, of another process")
	})
	lesser := mine
	lesser.Token.N--
	silent(t, b, func() { require.ErrorIs(t, b.Resume(t.Context(), lesser), site.ErrTaken) })
	mine.Token.N = 7
	at := view(t, b).At
	require.NoError(t, b.Resume(t.Context(), mine), "the claim there is of a lesser token")
	require.Equal(t, mine, *theClaim(t, b))
	require.Equal(t, []call.SiteFact{{Claim: &mine}}, follow(t, b, at)[0].Facts)
	silent(t, b, func() { require.NoError(t, b.Resume(t.Context(), mine)) })
	require.NoError(t, b.Abandon(t.Context(), nodeB, anna, mine.Token))
	lesser.Owner = nodeA
	require.NoError(t, b.Resume(t.Context(), lesser), "an orphan")
	require.Equal(t, lesser, *theClaim(t, b))
	none := mine
	none.Agent, none.Orphan = ben, true
	require.NoError(t, b.Resume(t.Context(), none), "no claim, and no flow is asked for")
	none.Orphan = false
	require.Equal(t, none, *facts(t, b)[2].Claim, "who resumes it is no orphan's owner")
	say(t, b, nodeB, flow("8003", nodeB, dawn))
	next, err := b.Claim(t.Context(), nodeA, "8003", "c3")
	require.NoError(t, err)
	require.Equal(t, call.Token{Epoch: 1, N: 8}, next.Token, "tokens are above those resumed")
	mine.Owner = nodeC
	require.ErrorIs(t, b.Resume(t.Context(), mine), site.ErrDead)
}

// testResumeOwnRun: a process that comes back as another run has its older run's claims, living or dead.
func testResumeOwnRun(t *testing.T, b BookAt) {
	t.Helper()
	g := claimed(t, b)
	enter(t, b, nodeA2)
	again := *theClaim(t, b)
	again.Owner = nodeA2
	require.NoError(t, b.Resume(t.Context(), again), "by the same token, of the older run, which still has a lease")
	require.Equal(t, again, *theClaim(t, b))
	require.NoError(t, b.Leave(t.Context(), nodeA))
	require.False(t, theClaim(t, b).Orphan, "it is the new run's")
	require.NoError(t, b.Leave(t.Context(), nodeA2))
	require.True(t, theClaim(t, b).Orphan)
	enter(t, b, "a.3")
	require.NoError(t, b.Release(t.Context(), "a.3", call.SiteRest{Agent: anna, Token: g.Token, How: failed}))
	require.Nil(t, theClaim(t, b), "the process knows that its older run's phone is free")
}
