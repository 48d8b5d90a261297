package call_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/media"
)

// TestVisitsAreBounded: a caller presses a key that leads to the other queue, again and again, is answered and lost by
// the agent, and does so again. The record keeps the first stays and the last; every figure is that of all.
func TestVisitsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := func(queue string) call.QueueOptions {
			return call.QueueOptions{WaitPrompt: "please-wait", Treatment: call.Treatment{
				Keys: map[media.Key]call.Next{'1': {Kind: call.Wait, Queue: queue}},
			}}
		}
		s := waitingRoom(t, map[string]call.QueueOptions{"repair": other("consult"), "consult": other("repair")})
		s.enter()
		const each = 1500 * time.Millisecond
		at := time.Duration(0)
		press := func(times int) {
			for range times {
				at += each
				s.at(at)
				s.caller.Stream().Press('1')
				synctest.Wait()
			}
		}
		press(70) // none is left out before there are too many
		require.Len(t, s.x.Live()[0].Record.Visits, 71)
		press(231)
		before := 301 * each
		at += each
		s.at(at)
		s.act("ring", []string{"8001"})
		s.act("answer", []string{"8001"})
		at += 20 * time.Second
		s.at(at)
		s.act("agent", []string{"8001", "transport"})
		synctest.Wait()
		press(140)
		at += each
		s.at(at)
		s.heard()

		r := s.records.finished(t)
		require.Len(t, r.Visits, call.MaxVisits)
		require.True(t, r.Visits[0].Entered.Equal(s.start))
		left := 0
		for i, v := range r.Visits {
			if left += v.LeftOut.Count; i < call.MaxVisits/2 {
				require.Equal(t, time.Duration(i)*each, v.Entered.Sub(s.start), "the first ones are as they were")
				require.Zero(t, v.LeftOut)
			}
			require.NotNil(t, v.Left)
		}
		require.Equal(t, 302+141-call.MaxVisits, left)
		last := r.Visits[call.MaxVisits-1]
		require.Equal(t, "abandoned", last.How)
		require.Equal(t, at, last.Left.Sub(s.start))
		require.Equal(t, "repair", r.Queue)
		require.True(t, r.Queued.Equal(s.start))
		require.InDelta(t, (before + each).Seconds(), r.FirstWaitSeconds, 1e-9)
		require.InDelta(t, (before + each + 141*each).Seconds(), r.WaitSeconds, 1e-9)
	})
}

// TestWaitTooLongOfManyVisits: the clock that is watched while a caller waits counts stays that the record left out.
func TestWaitTooLongOfManyVisits(t *testing.T) {
	now := time.Now()
	r := &call.Record{}
	for i := range 1000 {
		from := now.Add(time.Duration(i-1000) * time.Second)
		call.Enter(r, call.Visit{Queue: "repair", Entered: from, Left: new(from.Add(time.Second / 2)), How: "moved"})
	}
	call.Enter(r, call.Visit{Queue: "consult", Entered: now})
	require.Len(t, r.Visits, call.MaxVisits)
	used, open := call.WaitedSoFar(r, now.Add(time.Second))
	require.Equal(t, 501*time.Second, used)
	require.Equal(t, 1, open)
}

// TestOffersAreBounded: the first and the last are kept, and whatever is open; the rest is counted, whether all come
// from one stay or each from its own.
func TestOffersAreBounded(t *testing.T) {
	start := time.Now()
	offer := func(i int) call.Offer {
		at := start.Add(time.Duration(i) * time.Second)
		return call.Offer{Agent: fmt.Sprint(i), Sent: at, Ended: new(at.Add(time.Second)), How: "unanswered"}
	}
	const all, half = 1000, call.MaxOffers / 2
	check := func(t *testing.T, kept []call.Offer) {
		t.Helper()
		require.Equal(t, all, call.CountOffers(kept))
		number := 0
		for i, o := range kept {
			number += o.LeftOut
			require.Equal(t, fmt.Sprint(number), o.Agent, "of the kept %d", i)
			number++
		}
		require.Equal(t, fmt.Sprint(half-1), kept[half-1].Agent)
		require.Equal(t, fmt.Sprint(all-half), kept[len(kept)-half].Agent)
	}
	t.Run("one by one", func(t *testing.T) {
		var kept []call.Offer
		for i := range all {
			kept = call.AddOffers(kept, offer(i))
			require.LessOrEqual(t, len(kept), call.MaxOffers)
		}
		check(t, kept)
	})
	t.Run("by stays", func(t *testing.T) {
		var kept []call.Offer
		for i := 0; i < all; i += 250 {
			var stay []call.Offer
			for j := range 250 {
				stay = call.AddOffers(stay, offer(i+j))
			}
			kept = call.AddOffers(kept, stay...)
		}
		require.Len(t, kept, call.MaxOffers)
		check(t, kept)
	})
	t.Run("open ones stay", func(t *testing.T) {
		var kept []call.Offer
		for i := range all {
			o := offer(i)
			if i%100 == 70 {
				o.Ended, o.How = nil, ""
			}
			kept = call.AddOffers(kept, o)
		}
		check(t, kept)
		open := 0
		for _, o := range kept {
			if o.Ended == nil {
				open++
			}
		}
		require.Equal(t, all/100, open)
	})
	t.Run("all open", func(t *testing.T) {
		var kept []call.Offer
		for i := range all {
			o := offer(i)
			o.Ended, o.How = nil, ""
			kept = call.AddOffers(kept, o)
		}
		require.Len(t, kept, all)
		check(t, kept)
	})
}
