package web

import (
	"encoding/json"
	"net/http"
	"strconv"
	"testing"
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

// What can still be acted on is pushed to all who watch, at once and not with the next second; a burst is one push;
// and the page's own events have it too, for who comes later. None of it holds personal data.
func TestAlertsArePushed(t *testing.T) {
	o := fakeHotline(t)
	var server *Server
	url, _ := serve(t, o, func(s *Server) { server = s })
	w := watch(t, url)
	first, _, ok := nextEvent(t, w.lines)
	require.True(t, ok)
	require.Empty(t, first["alerts"])
	const burst = 40
	for i := range burst {
		e := aBreach(time.Second)
		e.Step = strconv.Itoa(i)
		server.Tell(e)
	}
	var pushed []struct{ Step, From string }
	pushes := 0
	for newest := ""; newest != strconv.Itoa(burst-1) && w.lines.Scan(); {
		if w.lines.Text() != "event: alerts" { // which no second sends, only the bell
			continue
		}
		pushes++
		require.True(t, w.lines.Scan())
		line := w.lines.Text()
		require.NoError(t, json.Unmarshal([]byte(line[len("data: "):]), &pushed))
		require.NotContains(t, line, "13912345678")
		require.NotContains(t, line, `"c2"`)
		newest = pushed[0].Step
	}
	require.Less(t, pushes, burst/2, "one, unless the machine was busy elsewhere in the midst of the burst")
	require.Len(t, pushed, maxAlertsShown)
	require.Equal(t, "139******78", pushed[0].From)

	server.snapshot.event = nil
	late, _, ok := nextEvent(t, watch(t, url).lines)
	require.True(t, ok)
	require.Len(t, late["alerts"], maxAlertsShown)
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
