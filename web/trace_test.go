package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
	"hotline/store/memstore"
)

// ladder is what the call of answered says: its caller, and two agents of whom one is not in it.
func ladder(at time.Time) []call.SIPMessage {
	ours := netip.MustParseAddrPort("192.0.2.1:5060")
	return []call.SIPMessage{
		{
			At: at, Party: "13912345678", Received: true, Transport: "UDP", Local: ours,
			Remote: netip.MustParseAddrPort("198.51.100.7:5060"), Body: "application/sdp, 214 octets",
			Head: "INVITE sip:96777@192.0.2.1 SIP/2.0\r\nFrom: \"13912345678\" <sip:13912345678@198.51.100.7>;tag=1",
		},
		{
			At: at.Add(time.Second), Party: "8002", Agent: true, Transport: "TCP",
			Head: "REFER sip:8002@192.0.2.9 SIP/2.0\r\nRefer-To: <sip:8001@192.0.2.1>",
		},
		{At: at.Add(2 * time.Second), Party: "8002", Agent: true, Omitted: 3},
	}
}

// A call's ladder is where its record says, in a list as alone.
func TestTrace(t *testing.T) {
	h := New(fakeHotline(t)).Handler()
	var one struct{ ID, Trace string }
	require.NoError(t, json.Unmarshal(get(t, h, "/api/v1/calls/c1", auditorToken).Body.Bytes(), &one))
	var list struct{ Calls []struct{ ID, Trace string } }
	require.NoError(t, json.Unmarshal(get(t, h, "/api/v1/calls", auditorToken).Body.Bytes(), &list))
	require.Contains(t, list.Calls, one)
	w := get(t, h, one.Trace, auditorToken)
	require.Equal(t, http.StatusOK, w.Code)
	golden(t, "trace.json", w.Body.Bytes())
	require.NotContains(t, w.Body.String(), "13912345678")
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
}

// Who asks for numbers gets them, and is noted with what was asked and not with what was seen.
func TestTraceNumbersAreAudited(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	o := fakeHotline(t)
	o.Logger = zap.New(core)
	h := New(o).Handler()
	isProblem(t, get(t, h, "/api/v1/calls/c1/trace?numbers=1", agentToken), http.StatusForbidden)
	isProblem(t, get(t, h, "/api/v1/calls/c1/trace?numbers=1", ""), http.StatusUnauthorized)
	isProblem(t, get(t, h, "/api/v1/calls/c1/trace?numbers=all", auditorToken), http.StatusBadRequest)
	require.Zero(t, logs.Len())
	w := get(t, h, "/api/v1/calls/c1/trace?numbers=1", auditorToken)
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Body.String(), "sip:13912345678@")
	require.Equal(t, 1, logs.Len())
	line := logs.All()[0].ContextMap()
	delete(line, "client")
	require.Equal(t, map[string]any{"call": "c1", "token": "audit", "role": "auditor"}, line)
}

func TestTraceMissing(t *testing.T) {
	o := fakeHotline(t)
	h := New(o).Handler()
	require.Equal(t, "no such call", isProblem(t, get(t, h, "/api/v1/calls/none/trace", auditorToken), http.StatusNotFound))
	require.Contains(t, isProblem(t, get(t, h, "/api/v1/calls/c2/trace", auditorToken), http.StatusNotFound), "not any more")
	o.Ladder = nil
	isProblem(t, get(t, New(o).Handler(), "/api/v1/calls/c1/trace", auditorToken), http.StatusNotFound)
	o.Ladder = func(context.Context, string) ([]call.SIPMessage, error) { return nil, errors.New("disk gone") }
	isProblem(t, get(t, New(o).Handler(), "/api/v1/calls/c1/trace", auditorToken), http.StatusInternalServerError)
}

// What an agent dialled may be a customer's number: it is no more shown than a caller's.
func TestTraceOfAnAgentsCall(t *testing.T) {
	o := fakeHotline(t)
	store := memstore.New()
	made := answered("c1", now.Add(-10*time.Minute))
	made.From, made.To, made.Trunk = "8002", "13912345678", "agent:8002"
	require.NoError(t, store.Finish(t.Context(), made))
	o.Records = store
	w := get(t, New(o).Handler(), "/api/v1/calls/c1/trace", auditorToken)
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Body.String(), "139******78")
	require.NotContains(t, w.Body.String(), "13912345678")
}
