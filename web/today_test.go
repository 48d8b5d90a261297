package web

import (
	"encoding/json"
	"net/http"
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
	yesterday := &todayDTO{
		Offered: 5, Answered: 3, Abandoned: 2, RingsKept: share(2. / 3), RingsMissed: 1, ServiceLevel: share(2. / 4),
		ServiceLevelOfAnswered: share(2. / 3), ConnectRate: share(3. / 5), MeanWait: new(seconds(12.333)), LongestWait: 40.5,
	}
	for range 2 { // the second is a hotline that was started again
		h := New(o).Handler()
		require.Equal(t, yesterday, queueDay(t, h, "repair"))
		require.Equal(t, &todayDTO{}, queueDay(t, h, "gas-alarm"), "nobody called it")
	}
	s := New(o)
	require.Equal(t, 5, s.wholeDayNow(t).Offered)
	at = midnight.Add(summaryEvery)
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
	_, err := s.snapshot.get(t.Context(), s)
	require.NoError(t, err)
	return wholeDay(s.snapshot.today)
}

// The queues are told though the records cannot be counted.
func TestTodayUnknown(t *testing.T) {
	o := fakeHotline(t)
	o.Records = brokenRecords{}
	require.Nil(t, queueDay(t, New(o).Handler(), "repair"))
}
