package web

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
)

// A supervisor sees who is to be called back, and takes one back, which is logged; others see no numbers.
func TestCallbacks(t *testing.T) {
	o := fakeHotline(t)
	core, logs := observer.New(zap.InfoLevel)
	o.Logger = zap.New(core)
	o.Callbacks = func() []call.Booking {
		return []call.Booking{{
			ID: "b1", Origin: "c9", Number: "13912345678", Queue: "repair", Entered: now, Asked: now.Add(time.Minute),
			Due: now.Add(2 * time.Minute), Tries: 1,
		}}
	}
	var cancelled []string
	o.CancelCallback = func(_ context.Context, id string) error {
		switch id {
		case "b1":
			cancelled = append(cancelled, id)
			return nil
		case "b2":
			return call.ErrNoBooking
		default:
			return errors.New("disk")
		}
	}
	h := New(o).Handler()
	require.JSONEq(t, `{"callbacks":[{"id":"b1","number":"13912345678","queue":"repair","call":"c9","tries":1,
		"entered":"2026-03-01T10:30:00.000+08:00","asked":"2026-03-01T10:31:00.000+08:00","due":"2026-03-01T10:32:00.000+08:00"}]}`,
		get(t, h, "/api/v1/callbacks", supervisorToken).Body.String())
	for _, token := range []string{agentToken, auditorToken, metricsToken} {
		require.Equal(t, http.StatusForbidden, get(t, h, "/api/v1/callbacks", token).Code)
		require.Equal(t, http.StatusForbidden, ask(t, h, http.MethodDelete, "/api/v1/callbacks/b1", token).Code)
	}
	for id, want := range map[string]int{
		"b1": http.StatusNoContent, "b2": http.StatusNotFound, "b3": http.StatusInternalServerError,
	} {
		require.Equal(t, want, ask(t, h, http.MethodDelete, "/api/v1/callbacks/"+id, supervisorToken).Code, id)
	}
	require.Equal(t, []string{"b1"}, cancelled)
	line := logs.FilterMessage("callback cancelled").All()
	require.Len(t, line, 1)
	require.Equal(t, map[string]any{"callback": "b1", "by": "ops"}, line[0].ContextMap())

	bare := New(fakeHotline(t)).Handler()
	require.JSONEq(t, `{"callbacks":[]}`, get(t, bare, "/api/v1/callbacks", supervisorToken).Body.String())
	require.Equal(t, http.StatusNotFound, ask(t, bare, http.MethodDelete, "/api/v1/callbacks/b1", supervisorToken).Code)
}
