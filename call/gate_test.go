package call_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"hotline/call"
)

var gateNow = time.Date(2024, 5, 1, 8, 0, 0, 0, time.UTC)

func gateLeg(dialog string, n uint64) call.GateLeg {
	return call.GateLeg{Dialog: dialog, Call: "call-" + dialog, Owner: "b.1", Token: call.Token{Epoch: 1, N: n}}
}

func admit(g *call.Gate, dialog string, n uint64) call.GateVerdict {
	return g.Admit(gateLeg(dialog, n), 1, gateNow.Add(time.Second), gateNow)
}

// TestGateTable goes through the lines of the state table.
func TestGateTable(t *testing.T) {
	t.Run("open", func(t *testing.T) {
		var g call.Gate
		require.Equal(t, call.GateOpen, admit(&g, "x", 3))
		require.Equal(t, call.Token{Epoch: 1, N: 3}, g.Highest())
		require.Equal(t, gateNow, g.Leg().Since)
	})
	t.Run("busy, then a token that is not above", func(t *testing.T) {
		var g call.Gate
		admit(&g, "x", 3)
		require.Equal(t, call.GateStale, admit(&g, "y", 3))
		require.Equal(t, call.GateBusy, admit(&g, "y", 5))
		require.True(t, g.Over("x"))
		require.False(t, g.Over("x"), "once")
		require.Equal(t, call.GateStale, admit(&g, "y", 5), "what was refused is never admitted")
		require.Equal(t, call.GateStale, admit(&g, "z", 4))
		require.Equal(t, call.GateOpen, admit(&g, "y", 6))
	})
	t.Run("late", func(t *testing.T) {
		var g call.Gate
		require.Equal(t, call.GateLate, g.Admit(gateLeg("x", 3), 1, gateNow, gateNow), "at the deadline it is over")
		require.Nil(t, g.Leg())
		require.Equal(t, call.GateStale, admit(&g, "x", 3))
	})
	t.Run("the same ring tried anew", func(t *testing.T) {
		var g call.Gate
		admit(&g, "x", 3)
		until := gateNow.Add(time.Second)
		require.Equal(t, call.GateStale, admit(&g, "x", 3), "not the same INVITE")
		require.Equal(t, call.GateOpen, g.Admit(gateLeg("x", 3), 2, until, gateNow), "before the refusal has passed")
		g.Over("x")
		require.Equal(t, call.GateStale, g.Admit(gateLeg("y", 3), 3, until, gateNow), "another dialog")
		require.Equal(t, call.GateOpen, g.Admit(gateLeg("x", 3), 3, until, gateNow))
		g.Answered("x", gateNow)
		require.Equal(t, call.GateBusy, g.Admit(gateLeg("x", 3), 4, until, gateNow), "it talks")
		g.Over("x")
		g.Refuse(call.Token{Epoch: 1, N: 3})
		require.Equal(t, call.GateStale, g.Admit(gateLeg("x", 3), 5, until, gateNow))
	})
	t.Run("dialled", func(t *testing.T) {
		var g call.Gate
		g.Dialled(call.GateLeg{Dialog: "own", Since: gateNow})
		g.Dialled(call.GateLeg{Dialog: "own2", Since: gateNow.Add(1)})
		require.Equal(t, call.GateBusy, admit(&g, "x", 1))
		_, ok := g.Next(call.Token{})
		require.False(t, ok)
		require.True(t, g.Refuse(call.Token{Epoch: 1, N: 1}), "no leg of a claim lives")
		require.Equal(t, "own2", g.Past("8001").Leg.Dialog)
		require.Len(t, g.Legs(), 2)
		require.Equal(t, 2, g.Dialling())
		require.True(t, g.Over("own"))
		require.Equal(t, call.GateBusy, admit(&g, "x", 2))
		require.True(t, g.Over("own2"))
		require.Equal(t, call.GateOpen, admit(&g, "x", 3))
	})
	t.Run("held, then seeded with a leg", func(t *testing.T) {
		var g call.Gate
		g.Hold()
		require.True(t, g.Held())
		require.Equal(t, call.GateHeld, admit(&g, "x", 1))
		leg := gateLeg("far", 7)
		g.Seed(call.GatePast{Highest: call.Token{Epoch: 1, N: 9}, Leg: &leg})
		require.Equal(t, call.GateStale, admit(&g, "x", 9))
		require.Equal(t, call.GateBusy, admit(&g, "x", 10))
		require.Empty(t, g.Legs(), "it does not go through here")
		require.False(t, g.Rung("far", gateNow))
		require.False(t, g.Answered("far", gateNow))
		require.False(t, g.Over("far"), "it is not for this edge to say")
		require.False(t, g.Refuse(call.Token{Epoch: 1, N: 2}))
		require.False(t, g.Free("other"))
		require.True(t, g.Free("far"))
		require.Equal(t, call.GateOpen, admit(&g, "x", 11))
	})
	t.Run("adopted", func(t *testing.T) {
		var g call.Gate
		g.Hold()
		leg := gateLeg("far", 7)
		g.Adopt(leg)
		g.Seed(call.GatePast{Leg: &leg})
		require.Equal(t, []call.GateLeg{leg}, g.Legs(), "it goes through here")
		require.False(t, g.Free("far"), "it is not for another edge to say")
		require.Equal(t, call.GateStale, admit(&g, "x", 7))
		require.Equal(t, call.GateBusy, admit(&g, "x", 8))
		require.True(t, g.Over("far"))
		g.Seed(call.GatePast{})
		require.Equal(t, call.GateOpen, admit(&g, "x", 9))
		g.Adopt(gateLeg("late", 8)) // the phone was rung before its owner came
		require.Len(t, g.Legs(), 2)
		require.True(t, g.Over("x"))
		require.Equal(t, call.GateBusy, admit(&g, "y", 10))
		require.True(t, g.Over("late"))
		g.Hold()
		g.Seed(call.GatePast{Leg: &leg})
		require.Empty(t, g.Legs())
		g.Adopt(leg)
		require.Len(t, g.Legs(), 1, "a leg that it was seeded with")
		require.True(t, g.Over("far"))
	})
	t.Run("gone, and back while it talks through here", func(t *testing.T) {
		var g call.Gate
		admit(&g, "x", 4)
		require.True(t, g.Rung("x", gateNow))
		require.False(t, g.Rung("x", gateNow), "once")
		require.True(t, g.Answered("x", gateNow))
		require.False(t, g.Answered("x", gateNow), "once")
		past := g.Yield("8001")
		require.Equal(t, "8001", past.Agent)
		require.Equal(t, "x", past.Leg.Dialog)
		require.Equal(t, call.GateGone, admit(&g, "y", 5))
		g.Hold()
		require.Equal(t, call.GateHeld, admit(&g, "y", 6))
		g.Seed(past)
		require.Equal(t, call.GateBusy, admit(&g, "y", 7))
		require.True(t, g.Over("x"), "it is its own leg still")
		require.Equal(t, call.GateOpen, admit(&g, "y", 8))
	})
	t.Run("next", func(t *testing.T) {
		var g call.Gate
		first, ok := g.Next(call.Token{Epoch: 2, N: 5})
		require.True(t, ok)
		require.Equal(t, call.Token{Epoch: 2, N: 6}, first)
		second, ok := g.Next(call.Token{Epoch: 1, N: 50})
		require.True(t, ok)
		require.Equal(t, call.Token{Epoch: 2, N: 7}, second)
		g.Hold()
		_, ok = g.Next(call.Token{})
		require.False(t, ok)
		g.Yield("8001")
		_, ok = g.Next(call.Token{})
		require.False(t, ok)
	})
}

// TestGateHolds has a gate go through any steps, and what must always be so of it.
func TestGateHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var g call.Gate
		var live string // the ring that an INVITE left for, and that is not over
		admitted := make(map[call.Token]string)
		refused := make(map[string]bool)
		now, highest := gateNow, call.Token{}
		dialog := rapid.SampledFrom([]string{"a", "b", "c"})
		step := func(name string, do func(t *rapid.T)) func(t *rapid.T) {
			return func(t *rapid.T) {
				now = now.Add(time.Millisecond)
				do(t)
				require.GreaterOrEqual(t, g.Highest().Compare(highest), 0, "%s: the highest token only rises", name)
				highest = g.Highest()
			}
		}
		far, held, gone, dialled := "", false, false, 0
		t.Repeat(map[string]func(*rapid.T){
			"admit": step("admit", func(t *rapid.T) {
				leg := gateLeg(dialog.Draw(t, "dialog"), rapid.Uint64Range(1, 12).Draw(t, "n"))
				seq := rapid.Uint32Range(1, 4).Draw(t, "seq")
				until := now.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "left")) * time.Second)
				key := fmt.Sprint(leg.Token, leg.Dialog, seq)
				if g.Admit(leg, seq, until, now) != call.GateOpen {
					if admitted[leg.Token] != leg.Dialog {
						refused[key] = true
					}
					return
				}
				require.False(t, refused[key], "it was refused once")
				require.True(t, now.Before(until), "it was late")
				require.False(t, held || gone || dialled > 0 || far != "", "closed")
				require.True(t, live == "" || live == leg.Dialog, "two legs")
				require.Contains(t, []string{"", leg.Dialog}, admitted[leg.Token], "two rings of one token")
				require.GreaterOrEqual(t, leg.Token.Compare(highest), 0)
				live, admitted[leg.Token] = leg.Dialog, leg.Dialog
			}),
			"over": step("over", func(t *rapid.T) {
				if d := dialog.Draw(t, "dialog"); g.Over(d) {
					require.Equal(t, live, d)
					live = ""
				}
			}),
			"answered": step("answered", func(t *rapid.T) { g.Answered(live, now) }),
			"dialled": step("dialled", func(t *rapid.T) {
				if dialled == 0 {
					g.Dialled(call.GateLeg{Dialog: "own", Since: now})
					dialled++
				} else if g.Over("own") {
					dialled--
				}
			}),
			"hold": step("hold", func(*rapid.T) { g.Hold(); held, gone = true, false }),
			"seed": step("seed", func(t *rapid.T) {
				past := call.GatePast{Highest: call.Token{Epoch: 1, N: rapid.Uint64Range(1, 12).Draw(t, "n")}}
				if rapid.Bool().Draw(t, "leg") {
					leg := gateLeg("far", 1)
					past.Leg = &leg
				}
				if g.Seed(past); held && past.Leg != nil && live == "" {
					far = "far"
				}
				held = false
			}),
			"free":  step("free", func(*rapid.T) { g.Free("far"); far = "" }),
			"yield": step("yield", func(*rapid.T) { g.Yield("8001"); held, gone = false, true }),
			"refuse": step("refuse", func(t *rapid.T) {
				n := call.Token{Epoch: 1, N: rapid.Uint64Range(1, 12).Draw(t, "n")}
				require.Equal(t, live == "" && far == "", g.Refuse(n))
				for m := uint64(1); m <= n.N; m++ {
					for _, d := range []string{"a", "b", "c"} {
						for seq := uint32(1); seq <= 4; seq++ {
							if live != d || admitted[call.Token{Epoch: 1, N: m}] != d {
								refused[fmt.Sprint(call.Token{Epoch: 1, N: m}, d, seq)] = true
							}
						}
					}
				}
			}),
			"next": step("next", func(t *rapid.T) {
				n, ok := g.Next(call.Token{Epoch: 1, N: 1})
				require.Equal(t, !held && !gone && dialled == 0 && live == "" && far == "", ok)
				require.True(t, !ok || n.Compare(highest) > 0)
			}),
		})
	})
}
