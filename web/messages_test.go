package web

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/store/memstore"
)

// Messages are listed as calls, and heard, by those who may hear recordings.
func TestMessages(t *testing.T) {
	o := fakeHotline(t)
	store, ok := o.Records.(*memstore.Store)
	require.True(t, ok)
	left := call.Record{
		ID: "m1", From: "13700001111", To: "96777", Started: now.Add(-time.Hour), Ended: new(now.Add(-59 * time.Minute)),
		Result: call.Message, Reason: call.ReasonMenu, Visits: []call.Visit{}, Offers: []call.Offer{}, Talks: []call.TalkRecord{},
		Message: &call.MessageRecord{Name: "c1.wav", At: now.Add(-time.Hour), Queue: "repair", Seconds: 12.5},
	}
	require.NoError(t, store.Finish(t.Context(), left))
	h := New(o).Handler()
	for _, token := range []string{supervisorToken, auditorToken} {
		w := get(t, h, "/api/v1/messages", token)
		require.Equal(t, http.StatusOK, w.Code, w.Body)
		require.Equal(t, 1, strings.Count(w.Body.String(), `"menu_path"`), w.Body)
		require.Contains(t, w.Body.String(), `"message":{"name":"c1.wav","at":"2026-03-01T09:30:00.000+08:00","queue":"repair","seconds":12.5}`)
		w = get(t, h, "/api/v1/messages/m1", token)
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, "audio/wav", w.Header().Get("Content-Type"))
		for path, status := range map[string]int{"?n=1": 200, "?n=2": 404, "?n=0": 404, "?n=x": 400} {
			require.Equal(t, status, get(t, h, "/api/v1/messages/m1"+path, token).Code, path)
		}
		require.Equal(t, http.StatusNotFound, get(t, h, "/api/v1/messages/c1", token).Code)
		require.Equal(t, http.StatusNotFound, get(t, h, "/api/v1/messages/nobody", token).Code)
	}
	require.Equal(t, http.StatusForbidden, get(t, h, "/api/v1/messages", agentToken).Code)
	require.Equal(t, http.StatusForbidden, get(t, h, "/api/v1/messages/m1", agentToken).Code)
}

// Who left several messages in one call has all of them listed, in order, and heard, each by its place; the last is the
// one that is meant where none is named.
func TestSeveralMessages(t *testing.T) {
	o := fakeHotline(t)
	store, ok := o.Records.(*memstore.Store)
	require.True(t, ok)
	asked := make(chan string, 8)
	recording := o.Recording
	o.Recording = func(name string) (io.ReadSeekCloser, time.Time, error) {
		asked <- name
		return recording("c1.wav")
	}
	require.NoError(t, store.Finish(t.Context(), call.Record{
		ID: "m2", Started: now.Add(-time.Hour), Ended: new(now), Result: call.Message, Reason: call.ReasonMenu,
		EarlierMessages: []call.MessageRecord{{Name: "first.wav", Queue: "repair", Seconds: 3}, {Name: "second.wav"}},
		Message:         &call.MessageRecord{Name: "third.wav"},
	}))
	h := New(o).Handler()
	w := get(t, h, "/api/v1/calls/m2", supervisorToken)
	require.Regexp(t, `(?s)"message": ?\{"name": ?"third.wav".*"messages": ?\[\{"name": ?"first.wav".*"seconds": ?3\}, ?\{"name": ?"second.wav".*\{"name": ?"third.wav"`, w.Body.String())
	for path, name := range map[string]string{"": "third.wav", "?n=1": "first.wav", "?n=2": "second.wav", "?n=3": "third.wav"} {
		require.Equal(t, http.StatusOK, get(t, h, "/api/v1/messages/m2"+path, supervisorToken).Code)
		require.Equal(t, name, <-asked, path)
	}
}
