package web

import (
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// A supervisor sees who is banned and lifts a ban, which is logged; nobody else does either.
func TestBans(t *testing.T) {
	t.Parallel()
	o := fakeHotline(t)
	core, logs := observer.New(zap.InfoLevel)
	o.Logger = zap.New(core)
	o.Bans = func() []Ban {
		return []Ban{
			{Source: netip.MustParsePrefix("203.0.113.5/32"), Why: "login", Since: now, Until: now.Add(2 * time.Minute), Times: 2},
			{Source: netip.MustParsePrefix("2001:db8::/64"), Why: "scanner", Since: now, Until: now.Add(time.Hour), Times: 1},
		}
	}
	var lifted []netip.Addr
	o.Unban = func(address netip.Addr) bool {
		lifted = append(lifted, address)
		return address != netip.MustParseAddr("203.0.113.9")
	}
	h := New(o).Handler()
	require.JSONEq(t, `{"bans":[
		{"source":"203.0.113.5","why":"login","since":"2026-03-01T10:30:00.000+08:00","until":"2026-03-01T10:32:00.000+08:00","times":2},
		{"source":"2001:db8::/64","why":"scanner","since":"2026-03-01T10:30:00.000+08:00","until":"2026-03-01T11:30:00.000+08:00","times":1}]}`,
		get(t, h, "/api/v1/bans", supervisorToken).Body.String())
	for _, token := range []string{agentToken, auditorToken, metricsToken, ownToken} {
		require.Equal(t, http.StatusForbidden, get(t, h, "/api/v1/bans", token).Code)
		require.Equal(t, http.StatusForbidden, ask(t, h, http.MethodDelete, "/api/v1/bans/203.0.113.5", token).Code)
	}
	require.Equal(t, http.StatusUnauthorized, get(t, h, "/api/v1/bans", "").Code)
	for address, want := range map[string]int{
		"203.0.113.5": http.StatusNoContent, "2001:db8::1": http.StatusNoContent, "203.0.113.9": http.StatusNotFound,
		"here": http.StatusBadRequest, "2001:db8::%2F64": http.StatusBadRequest, "fe80::1%25eth0": http.StatusBadRequest,
	} {
		require.Equal(t, want, ask(t, h, http.MethodDelete, "/api/v1/bans/"+address, supervisorToken).Code, address)
	}
	require.Len(t, lifted, 3)
	lines := logs.FilterMessage("audit: unban").All()
	require.Len(t, lines, 3)
	require.Equal(t, "ops", lines[0].ContextMap()["by"])

	bare := New(fakeHotline(t)).Handler()
	require.Equal(t, http.StatusNotFound, get(t, bare, "/api/v1/bans", supervisorToken).Code)
	require.Equal(t, http.StatusNotFound, ask(t, bare, http.MethodDelete, "/api/v1/bans/203.0.113.5", supervisorToken).Code)
}
