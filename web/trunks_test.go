package web

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The trunks are told in their order, to supervisors and auditors; who does not register has no registration.
func TestTrunks(t *testing.T) {
	t.Parallel()
	o := fakeHotline(t)
	o.Trunks = func() []Trunk {
		return []Trunk{
			{Name: "city", Registration: "registered", Until: now.Add(time.Hour), Code: 200, Calls: 3},
			{Name: "known", Up: new(true)},
			{Name: "away", Registration: "unreachable"},
		}
	}
	h := New(o).Handler()
	w := get(t, h, "/api/v1/trunks", auditorToken)
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	require.JSONEq(t, `{"trunks": [
		{"name": "city", "up": null, "calls": 3, "registration": {"state": "registered", "until": "`+now.Add(time.Hour).Format(stampFormat)+`", "code": 200}},
		{"name": "known", "up": true, "calls": 0, "registration": null},
		{"name": "away", "up": null, "calls": 0, "registration": {"state": "unreachable", "until": null}}
	]}`, w.Body.String())
	require.Equal(t, http.StatusForbidden, get(t, h, "/api/v1/trunks", agentToken).Code)
	o.Trunks = nil
	require.JSONEq(t, `{"trunks": []}`, get(t, New(o).Handler(), "/api/v1/trunks", auditorToken).Body.String())
}
