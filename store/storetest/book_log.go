package storetest

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/site"
)

// testLog: entries come in the order of the deeds, once each, from any place, and the same to all.
func testLog(t *testing.T, b BookAt) {
	t.Helper()
	enter(t, b, nodeA)
	say(t, b, nodeA, flow(anna, nodeA, dawn))
	g, err := b.Claim(t.Context(), nodeA, anna, "c1")
	require.NoError(t, err)
	require.NoError(t, b.Abandon(t.Context(), nodeA, anna, g.Token))
	require.NoError(t, b.Clear(t.Context(), anna, g.Token))
	require.NoError(t, b.Leave(t.Context(), nodeA))
	all := follow(t, b, "")
	require.Len(t, all, 6)
	require.Equal(t, node(nodeA), *all[0].Node)
	require.Equal(t, anna, all[1].Facts[0].Flow.Agent)
	require.False(t, all[2].Facts[0].Claim.Orphan)
	require.True(t, all[3].Facts[0].Claim.Orphan)
	require.Equal(t, g.Token, all[4].Cleared.Token)
	require.Equal(t, nodeA, all[5].Dead)
	for i, e := range all[:5] {
		require.Equal(t, all[i+1:], follow(t, b, e.At))
	}
}

// testLogWaits: whoever is at the end of the log waits a while, and no longer than that; what comes wakes him.
func testLogWaits(t *testing.T, b BookAt) {
	t.Helper()
	enter(t, b, nodeA)
	at := view(t, b).At
	none, err := b.Follow(t.Context(), at)
	require.NoError(t, err)
	require.Empty(t, none)
	done, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.Follow(done, at)
	require.ErrorIs(t, err, context.Canceled)

	type got struct {
		entries []site.Entry
		err     error
	}
	came := make(chan got)
	go func() {
		var g got
		for g.err == nil && len(g.entries) == 0 { // it may be said between two waits
			g.entries, g.err = b.Follow(t.Context(), at)
		}
		came <- g
	}()
	say(t, b, nodeA, caller("c1", nodeA))
	g := <-came
	require.NoError(t, g.err)
	require.Len(t, g.entries, 1)
	require.Equal(t, "c1", g.entries[0].Facts[0].Caller.Call)
}

// testLogGap: a place that the log does not go on from is told from one at which nothing has happened.
func testLogGap(t *testing.T, b BookAt) {
	t.Helper()
	enter(t, b, nodeA)
	early := view(t, b).At
	bounds := smallBounds()
	for i := range 3 * bounds.Log {
		say(t, b, nodeA, caller(strconv.Itoa(i), nodeA))
	}
	late := view(t, b).At
	for _, at := range []site.Place{"", early, "nonsense", "1.x", "9.9", "99999999999999-0", "1-1"} {
		_, err := b.Follow(t.Context(), at)
		require.ErrorIs(t, err, site.ErrGap, at)
	}
	say(t, b, nodeA, caller("last", nodeA))
	require.Len(t, follow(t, b, late), 1)
	// As many as was agreed on are there at least.
	for i := range bounds.Log {
		say(t, b, nodeA, caller("again"+strconv.Itoa(i), nodeA))
	}
	require.Len(t, follow(t, b, late), bounds.Log+1)
}

// testLogOld: entries name callers; they are not kept for long, and who has read them all misses nothing.
func testLogOld(t *testing.T, b BookAt) {
	t.Helper()
	enter(t, b, nodeA)
	early := view(t, b).At
	say(t, b, nodeA, caller("c1", nodeA))
	late := view(t, b).At
	for range 13 {
		b.Advance(lease - time.Millisecond)
		_, err := b.Renew(t.Context(), nodeA)
		require.NoError(t, err)
	}
	_, err := b.Follow(t.Context(), early)
	require.ErrorIs(t, err, site.ErrGap)
	none, err := b.Follow(t.Context(), late)
	require.NoError(t, err)
	require.Empty(t, none)
	say(t, b, nodeA, caller("c2", nodeA))
	require.Len(t, follow(t, b, late), 1)
}

// testEmptied: a book that was lost under its nodes tells each of them, and nothing of before comes back by itself.
func testEmptied(t *testing.T, b BookAt) {
	t.Helper()
	g := claimed(t, b)
	at := view(t, b).At
	last, err := b.Renew(t.Context(), nodeA)
	require.NoError(t, err)
	b.Empty()
	for _, place := range []site.Place{at, ""} {
		_, err = b.Follow(t.Context(), place)
		require.ErrorIs(t, err, site.ErrGap)
	}
	_, err = b.Renew(t.Context(), nodeA)
	require.ErrorIs(t, err, site.ErrDead)
	_, err = b.Claim(t.Context(), nodeA, anna, "c2")
	require.ErrorIs(t, err, site.ErrDead)
	l, err := b.Enter(t.Context(), node(nodeA2), last)
	require.NoError(t, err)
	require.Equal(t, last.Epoch+1, l.Epoch)
	_, err = b.Follow(t.Context(), at)
	require.ErrorIs(t, err, site.ErrGap, "the new book's log is another")
	require.Empty(t, facts(t, b))
	c := call.SiteClaim{Agent: anna, Call: "c1", Owner: nodeA2, Edge: nodeB, Token: g.Token, Since: dawn, Answered: dawn}
	require.NoError(t, b.Resume(t.Context(), c))
	require.Equal(t, c, *theClaim(t, b), "of the epoch before, as the leg is")
	say(t, b, nodeA2, flow(ben, nodeA2, dawn))
	next, err := b.Claim(t.Context(), nodeA2, ben, "c2")
	require.NoError(t, err)
	require.Positive(t, next.Token.Compare(g.Token))
}
