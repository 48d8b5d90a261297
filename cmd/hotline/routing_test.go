package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestRoutingOfACall: why an agent was rung can be read while the call lasts, and is the same in its record.
func TestRoutingOfACall(t *testing.T) {
	t.Parallel()
	s := serve(t)
	leg := telephones(t, s.sip).ring(t)
	s.until("/api/v1/calls", `"joined":"2`)
	_, list := s.get("/api/v1/calls", supervisorToken)
	var calls struct{ Calls []struct{ ID string } }
	require.NoError(t, json.Unmarshal([]byte(list), &calls))
	path := "/api/v1/calls/" + calls.Calls[0].ID + "/routing"
	_, live := s.get(path, supervisorToken)
	var routing struct{ Decisions []call.Decision }
	require.NoError(t, json.Unmarshal([]byte(live), &routing))
	require.Len(t, routing.Decisions, 1)
	why := routing.Decisions[0]
	require.Equal(t, "gas-alarm", why.Queue)
	require.Equal(t, "alarm:skilled", why.Rule)
	require.Equal(t, []string{"8003"}, why.Chosen)
	require.Len(t, why.Candidates, 1)

	leg.Hangup(call.CauseBye)
	s.until("/api/v1/calls", `"reason":"caller-hangup"`)
	_, kept := s.get(path, supervisorToken)
	require.JSONEq(t, live, kept)
	s.stop()
	require.Equal(t, exitOK, s.code(t), s.err)
	require.Equal(t, why.Candidates, onlyRecord(t, s.data).Decisions[0].Candidates)
}
