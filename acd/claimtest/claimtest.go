// Package claimtest is the suite that every [acd.Claims] passes. Tests of implementations call [Run].
package claimtest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/acd"
	"hotline/call"
)

// Run holds claims against what the port says; open makes some of which nobody is taken, for each part anew.
func Run(t *testing.T, open func(t *testing.T) acd.Claims) {
	t.Helper()
	for name, part := range map[string]func(*testing.T, acd.Claims){
		"taken once": takenOnce, "released by the token": releasedByToken, "tokens rise": tokensRise,
		"one of many": oneOfMany,
	} {
		t.Run(name, func(t *testing.T) { part(t, open(t)) })
	}
}

func takenOnce(t *testing.T, c acd.Claims) {
	t.Helper()
	_, ok := c.Claim("8001", "c1")
	require.True(t, ok)
	_, ok = c.Claim("8001", "c2")
	require.False(t, ok, "taken")
	_, ok = c.Claim("8001", "c1")
	require.False(t, ok, "taken for the same call too")
	_, ok = c.Claim("8002", "c1")
	require.True(t, ok, "another agent")
}

func releasedByToken(t *testing.T, c acd.Claims) {
	t.Helper()
	first, ok := c.Claim("8001", "c1")
	require.True(t, ok)
	other, ok := c.Claim("8002", "c1")
	require.True(t, ok)
	c.Release("8001", other)
	c.Release("8001", call.Token{})
	c.Release("8003", first)
	_, ok = c.Claim("8001", "c2")
	require.False(t, ok, "none of those was the token")
	c.Release("8001", first)
	second, ok := c.Claim("8001", "c2")
	require.True(t, ok)
	c.Release("8001", first)
	_, ok = c.Claim("8001", "c3")
	require.False(t, ok, "a token from before gives nobody back")
	c.Release("8001", second)
	_, ok = c.Claim("8001", "c3")
	require.True(t, ok)
}

func tokensRise(t *testing.T, c acd.Claims) {
	t.Helper()
	last := call.Token{}
	for i := range 100 {
		agent := fmt.Sprint(8000 + i%7)
		token, ok := c.Claim(agent, fmt.Sprint(i))
		require.True(t, ok)
		require.Positive(t, token.Compare(last))
		require.NotZero(t, token.N)
		c.Release(agent, token)
		last = token
	}
}

// oneOfMany: of many who claim one agent at once, one has them; and no two claims ever have one token.
func oneOfMany(t *testing.T, c acd.Claims) {
	t.Helper()
	const claimers, rounds = 8, 50
	var all []call.Token
	for round := range rounds {
		got := make(chan call.Token, claimers)
		var wg sync.WaitGroup
		for i := range claimers {
			wg.Go(func() {
				if token, ok := c.Claim("8001", fmt.Sprint(round, "-", i)); ok {
					got <- token
				}
			})
		}
		wg.Wait()
		require.Len(t, got, 1)
		token := <-got
		all = append(all, token)
		c.Release("8001", token)
	}
	require.True(t, slices.IsSortedFunc(all, call.Token.Compare))
	require.Len(t, slices.CompactFunc(all, func(a, b call.Token) bool { return a == b }), rounds)
}
