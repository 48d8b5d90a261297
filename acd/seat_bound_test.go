package acd

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestOffersOfALongWait: phones that never answer are rung for a caller for hours, while one rings all the time. The
// seat remembers so many; each offer is still told, and ends, as itself, and the answer too.
func TestOffersOfALongWait(t *testing.T) {
	const cycle = 5 * time.Second
	start := time.Now()
	s := newSeat(call.Ticket{Queue: "repair", Entered: start}, cycle)
	at := func(i int) time.Time { return start.Add(time.Duration(i) * 15 * time.Second) }
	const long, all = 60, 5000
	for i := range all {
		index, ok := s.choose("8001", at(i), nil)
		require.True(t, ok)
		require.Equal(t, i, index)
		s.progress(index, 180, at(i))
		if i == long {
			continue
		}
		require.Equal(t, howUnanswered, s.end(index, howUnanswered, at(i).Add(12*time.Second)))
		require.LessOrEqual(t, len(s.offers), call.MaxOffers+1)
	}
	clock, ok := s.clock()
	require.True(t, ok)
	require.Equal(t, start, clock, "the promise clock is still that of the first")
	s.progress(long+1, 180, at(all)) // comes late, of one that is left out
	require.Equal(t, howRefused, s.end(long+1, howRefused, at(all)))
	require.True(t, s.answer(long, call.Answer{At: at(all)}))

	visit, offers := s.Visit()
	require.Equal(t, howAnswered, visit.How)
	require.Len(t, offers, call.MaxOffers+1, "the one that was open is kept besides")
	require.Equal(t, all, call.CountOffers(offers))
	for i, o := range offers {
		want, rings := howUnanswered, 3
		if o.How == howAnswered {
			want, rings = howAnswered, (all-long)*3+1
			require.Equal(t, at(long), o.Sent)
		}
		require.Equal(t, want, o.How, i)
		require.Equal(t, rings, o.Rings, i)
	}
	require.Equal(t, howAnswered, offers[call.MaxOffers/2].How)
}
