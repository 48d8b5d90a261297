package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/store/memstore"
)

// queueDay is one queue's day as the API tells it.
func queueDay(t *testing.T, h http.Handler, name string) *todayDTO {
	t.Helper()
	w := get(t, h, "/api/v1/queues", agentToken)
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	var answer struct {
		Queues []struct {
			Name  string
			Today *todayDTO
		}
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
	for _, q := range answer.Queues {
		if q.Name == name {
			return q.Today
		}
	}
	t.Fatalf("no queue %s", name)
	return nil
}

// ofRepair is a call of the day that entered queue repair and waited so long.
func ofRepair(id string, started time.Time, wait float64, result call.Result) call.Record {
	kept := wait < 15
	r := call.Record{
		ID: id, Started: started, Ended: new(started.Add(time.Minute)), Queue: "repair", Result: result, FirstWaitSeconds: wait,
	}
	if result == call.Answered {
		r.Answered, r.RingsMet = r.Ended, &kept
	}
	return r
}

// Each queue's day is told by both formulas, from the records alone: a server that was just started says the same,
// and at midnight of the service's time zone a new day begins, while in UTC it is still yesterday.
func TestTodayByQueue(t *testing.T) {
	o := fakeHotline(t)
	store := memstore.New()
	midnight := time.Date(2026, 3, 2, 0, 0, 0, 0, now.Location())
	for _, r := range []call.Record{
		ofRepair("1", midnight.Add(-10*time.Hour), 5, call.Answered), ofRepair("2", midnight.Add(-9*time.Hour), 25, call.Answered),
		ofRepair("3", midnight.Add(-8*time.Hour), 40.5, call.Abandoned), ofRepair("4", midnight.Add(-time.Nanosecond), 2, call.Abandoned),
		ofRepair("5", midnight, 7, call.Answered),
	} {
		require.NoError(t, store.Finish(t.Context(), r))
	}
	at := midnight.Add(-time.Millisecond)
	o.Records, o.Clock = store, func() time.Time { return at }
	share := func(x float64) *float64 { return &x }
	s := New(o)
	yesterday := &todayDTO{
		Offered: 5, Answered: 3, Abandoned: 2, RingsKept: share(2. / 3), RingsMissed: 1, ServiceLevel: share(2. / 4),
		ServiceLevelOfAnswered: share(2. / 3), ConnectRate: share(3. / 5), MeanWait: new(seconds(12.333)), LongestWait: 40.5,
	}
	for range 2 { // the second is a hotline that was started again
		h := New(o).Handler()
		require.Equal(t, yesterday, queueDay(t, h, "repair"))
		require.Equal(t, &todayDTO{}, queueDay(t, h, "gas-alarm"), "nobody called it")
	}
	require.Equal(t, 5, s.wholeDayNow(t).Offered)
	at = midnight.Add(eventEvery) // the page's event is that old at most
	today := &todayDTO{
		Offered: 1, Answered: 1, RingsKept: share(1), ServiceLevel: share(1), ServiceLevelOfAnswered: share(1),
		ConnectRate: share(1), MeanWait: new(seconds(7)), LongestWait: 7,
	}
	require.Equal(t, today, queueDay(t, s.Handler(), "repair"))
	require.Equal(t, today, s.wholeDayNow(t), "the page too")
}

// wholeDayNow is the day as the page is told of it.
func (s *Server) wholeDayNow(t *testing.T) *todayDTO {
	t.Helper()
	event, err := s.snapshot.get(t.Context(), s)
	require.NoError(t, err)
	_, body, found := strings.Cut(string(event), "data: ")
	require.True(t, found)
	var board struct{ Today *todayDTO }
	require.NoError(t, json.Unmarshal([]byte(body), &board))
	return board.Today
}

// The queues are told though the records cannot be counted.
func TestTodayUnknown(t *testing.T) {
	o := fakeHotline(t)
	o.Records = brokenRecords{}
	require.Nil(t, queueDay(t, New(o).Handler(), "repair"))
}

// counting are records that count how often they are counted.
type counting struct {
	*memstore.Store
	counts atomic.Int64
	fails  atomic.Bool
}

func (c *counting) Summaries(ctx context.Context, since time.Time, within time.Duration) (call.Summaries, error) {
	c.counts.Add(1)
	if c.fails.Load() {
		return nil, errors.New("no disk")
	}
	return c.Store.Summaries(ctx, since, within)
}

// TestTodayIsCountedOnce: however many ask, at once or one after the other, the day is counted once in summaryEvery, and
// a store that fails is asked no more often; another service level by a reload is counted by at once.
func TestTodayIsCountedOnce(t *testing.T) {
	o := fakeHotline(t)
	store := &counting{Store: memstore.New()}
	require.NoError(t, store.Finish(t.Context(), ofRepair("1", now.Add(-time.Minute), 10, call.Answered)))
	at := now
	o.Records, o.Clock = store, func() time.Time { return at }
	s := New(o)
	h := s.Handler()
	var wall sync.WaitGroup
	for range 20 {
		wall.Go(func() { s.today(t.Context(), at) })
	}
	wall.Wait()
	require.InDelta(t, 1, *queueDay(t, h, "repair").ServiceLevel, 0)
	require.Equal(t, 1, s.wholeDayNow(t).Offered)
	require.EqualValues(t, 1, store.counts.Load())

	set := o.Settings
	set.ServiceLevel = 5 * time.Second
	s.Apply(set)
	require.InDelta(t, 0, *queueDay(t, h, "repair").ServiceLevel, 0)
	require.EqualValues(t, 2, store.counts.Load())

	at = at.Add(summaryEvery - 1)
	queueDay(t, h, "repair")
	require.EqualValues(t, 2, store.counts.Load())
	store.fails.Store(true)
	at = at.Add(1)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	require.Nil(t, s.today(gone, at))
	require.Nil(t, queueDay(t, h, "repair"))
	require.EqualValues(t, 3, store.counts.Load())
	store.fails.Store(false)
	at = at.Add(summaryEvery)
	require.NotNil(t, s.today(gone, at), "who is gone has it counted for the others")
	require.EqualValues(t, 4, store.counts.Load())
	at = at.Add(-time.Hour)
	require.NotNil(t, s.today(t.Context(), at), "a clock that was set back")
	require.EqualValues(t, 5, store.counts.Load())
}
