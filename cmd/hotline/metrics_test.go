package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"hotline/call"
	"hotline/internal/testkit"
)

// promised are the metrics of the contract with their labels.
var promised = map[string][]string{
	"hotline_calls_total":                {"queue", "result"},
	"hotline_calls_active":               {"state"},
	"hotline_queue_waiting":              {"queue"},
	"hotline_queue_longest_wait_seconds": {"queue"},
	"hotline_agents":                     {"state"},
	"hotline_answer_rings":               {"queue"},
	"hotline_answer_target_total":        {"met", "queue"},
	"hotline_wait_seconds":               {"queue"},
	"hotline_talk_seconds":               {"queue"},
	"hotline_talk_target_total":          {"met", "queue"},
	"hotline_reloads_total":              {"outcome"},
	"hotline_config_loaded_timestamp":    nil,
	"hotline_service_level_total":        {"outcome", "queue"},
	"hotline_target_events_total":        {"kind", "queue"},
	"hotline_post_dial_seconds":          nil,
	"hotline_rtp_packets_total":          {"direction"},
	"hotline_rtp_lost_total":             nil,
	"hotline_rtp_faults_total":           {"kind"},
	"hotline_leg_mos":                    {"role"},
	"hotline_leg_silent_total":           {"outcome", "role"},
	"hotline_leg_one_way_total":          {"healed", "role"},
	"hotline_sip_requests_total":         {"method"},
	"hotline_sip_responses_total":        {"code", "method"},
	"hotline_recordings_total":           {"outcome"},
	"hotline_panics_total":               nil,
}

// TestMetrics: after one call every metric of the contract is there, with its labels, and promlint has
// nothing to say of any.
func TestMetrics(t *testing.T) {
	t.Parallel()
	cfg, err := loadConfig(premises{}.file(t))
	require.NoError(t, err)
	a, err := newApp(cfg, zap.NewNop())
	require.NoError(t, err)
	defer func() { require.NoError(t, a.shutdown(nil, false)) }()
	s := &serving{t: t, http: a.http.Addr().String()}

	leg := telephones(t, a.ua.Addrs()[0]).ring(t)
	var talked call.Record
	testkit.Within(t, patience, "the two to be joined", func() bool {
		live := a.exchange.Live()
		joined := len(live) == 1 && len(live[0].Record.Talks) == 1 && live[0].Record.Talks[0].Joined != nil
		if joined {
			talked = live[0].Record
		}
		return joined
	})
	status, _ := s.get("/metrics", "")
	require.Equal(t, http.StatusOK, status)
	faults, err := testutil.GatherAndLint(a.registry)
	require.NoError(t, err)
	require.Empty(t, faults)

	leg.Hangup(call.CauseBye)
	testkit.Within(t, patience, "the call's record", func() bool {
		r, err := a.store.Get(t.Context(), talked.ID)
		return err == nil && r.Ended != nil && len(a.exchange.Live()) == 0
	})
	faults, err = testutil.GatherAndLint(a.registry)
	require.NoError(t, err)
	require.Empty(t, faults)
	requireLabels(t, a, promised)
	requireWholeRings(t, a)
}

// requireLabels holds what the registry has against what was promised.
func requireLabels(t *testing.T, a *app, want map[string][]string) {
	t.Helper()
	families, err := a.registry.Gather()
	require.NoError(t, err)
	found := map[string][]string{}
	for _, f := range families {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		if strings.HasPrefix(f.GetName(), "hotline_") {
			found[f.GetName()] = labels
		}
	}
	for name, labels := range want {
		got, ok := found[name]
		require.True(t, ok, "no %s", name)
		require.Equal(t, labels, got, name)
	}
}

// requireWholeRings: the histogram of rings has a bucket for each ring and none between.
func requireWholeRings(t *testing.T, a *app) {
	t.Helper()
	families, err := a.registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() != "hotline_answer_rings" {
			continue
		}
		h := f.GetMetric()[0].GetHistogram()
		require.Equal(t, uint64(1), h.GetSampleCount())
		for i, b := range h.GetBucket() {
			require.InDelta(t, float64(i+1), b.GetUpperBound(), 0)
		}
		return
	}
	require.Fail(t, "no hotline_answer_rings")
}

// TestPanicsAreCounted: what a part contained is in the figure.
func TestPanicsAreCounted(t *testing.T) {
	t.Parallel()
	cfg, err := loadConfig(premises{}.file(t))
	require.NoError(t, err)
	cfg.Drain = time.Second
	a, err := newApp(cfg, zap.NewNop())
	require.NoError(t, err)
	a.panicked("a test", "what it said")
	require.InDelta(t, 1, testutil.ToFloat64(a.panics), 0)
	require.NoError(t, a.shutdown(nil, true))
}
