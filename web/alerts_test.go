package web

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// aBreach is an event of a call, told a while before the tests' instant.
func aBreach(ago time.Duration) call.Event {
	return call.Event{
		Kind: call.EventRingBroken, At: now.Add(-ago), Call: "c2", Queue: "repair", From: "13912345678",
		Elapsed: 15 * time.Second, Target: 15 * time.Second,
	}
}

// pushes are the events of a stream that came so far: the alerts of one pushed by the bell, nil for a whole board.
func pushes(t *testing.T, stream string) (out [][]alertText) {
	t.Helper()
	for block := range strings.SplitSeq(strings.TrimSpace(stream), "\n\n") {
		_, data, found := strings.Cut(block, "data: ")
		require.True(t, found, block)
		var alerts []alertText
		if strings.HasPrefix(block, "event: alerts\n") {
			require.NoError(t, json.Unmarshal([]byte(data), &alerts))
		}
		out = append(out, alerts)
	}
	return out
}

type alertText struct {
	Kind       call.EventKind
	Step, From string
}

// What can still be acted on is pushed to all who watch, at once and not with the next second; a burst is one push;
// and the page's own events have it too, for who comes later. None of it holds personal data.
func TestAlertsArePushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(fakeHotline(t))
		ctx, leave := context.WithCancel(t.Context())
		w, left := httptest.NewRecorder(), make(chan struct{})
		go func() {
			defer close(left)
			s.handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/events", nil))
		}()
		synctest.Wait()
		began := time.Now()
		for i := range 40 {
			e := aBreach(time.Second)
			e.Step = strconv.Itoa(i)
			s.Tell(e)
		}
		time.Sleep(alertPause)
		synctest.Wait()
		require.Less(t, time.Since(began), eventEvery)
		stream := w.Body.String()
		require.NotContains(t, stream, "13912345678")
		require.NotContains(t, stream, `"c2"`)
		got := pushes(t, stream)
		require.Len(t, got, 2, "how things stand, and then all of a burst in one push")
		require.Len(t, got[1], maxAlertsShown)
		require.Equal(t, "39", got[1][0].Step, "the newest first")
		require.Equal(t, "139******78", got[1][0].From)
		leave()
		<-left
		b, err := s.board(now, nil, farther{})
		require.NoError(t, err)
		require.Len(t, b.Alerts, maxAlertsShown, "for who comes later")
	})
}

// However much else happens, an alarm stays on the wall for its time, above the rest.
func TestAlarmsStayOnTheWall(t *testing.T) {
	s := New(fakeHotline(t))
	for i, kind := range []call.EventKind{call.EventAlarm, call.EventRingBroken, call.EventAlarmStep} {
		e := aBreach(alertFor - time.Duration(i+1)*time.Second)
		e.Kind, e.Call = kind, strconv.Itoa(i)
		s.Tell(e)
	}
	for range 5 * maxAlertsShown {
		s.Tell(aBreach(time.Second))
	}
	kinds := each(s.alertCards(now), func(a alertCard) call.EventKind { return a.Kind })
	require.Equal(t, []call.EventKind{
		call.EventAlarmStep, call.EventAlarm, call.EventRingBroken, call.EventRingBroken, call.EventRingBroken, call.EventRingBroken,
	}, kinds)
}

// However far an alarm climbs, it is one line of the wall, the newest; other events of its call have their own.
func TestAlarmIsOneLine(t *testing.T) {
	s := New(fakeHotline(t))
	for _, caller := range []string{"c1", "c2"} {
		for i, step := range []string{"skilled", "all-skilled", "everyone", "duty"} {
			e := aBreach(time.Duration(10-i) * time.Second)
			e.Kind, e.Call, e.Step = call.EventAlarmStep, caller, step
			s.Tell(e)
		}
	}
	late := aBreach(time.Second)
	late.Call = "c1"
	s.Tell(late)
	lines := each(s.alertCards(now), func(a alertCard) string { return string(a.Kind) + " " + a.Step })
	require.Equal(t, []string{"alarm-step duty", "alarm-step duty", "ring-broken "}, lines)
}

// The page shows an event for a while, the API all that are remembered, in full and with the call.
func TestAlertsAreRemembered(t *testing.T) {
	s := New(fakeHotline(t))
	s.Tell(aBreach(alertFor + time.Second))
	s.Tell(aBreach(alertFor - time.Second))
	require.Len(t, s.alertCards(now), 1)
	golden(t, "events.json", get(t, s.handler, "/api/v1/events", auditorToken).Body.Bytes())
	for range maxAlerts {
		s.Tell(aBreach(0))
	}
	w := get(t, s.handler, "/api/v1/events", supervisorToken)
	require.Equal(t, http.StatusOK, w.Code)
	var page struct{ Events []map[string]any }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page))
	require.Len(t, page.Events, maxAlerts)
}
