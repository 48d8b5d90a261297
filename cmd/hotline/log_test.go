package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"hotline/call"
)

// Audits are written whatever the least important line wanted is, and by it alone everything else.
func TestAuditsAtEveryLevel(t *testing.T) {
	t.Parallel()
	for level, want := range map[string][4]bool{
		"debug": {true, true, true, true}, "info": {false, true, true, true}, "warn": {false, false, true, true}, "error": {false, false, false, true},
	} {
		out := newTerminal()
		log, err := logFlags{LogLevel: level, LogFormat: "json"}.logger(out)
		require.NoError(t, err)
		log.Named("web.audits").Info("of a name that is like it")
		for _, l := range []*zap.Logger{log, log.Named("web"), log.With(zap.Int("n", 1)).Named("sip")} {
			before := out.String()
			call.Audit(l).With(zap.String("by", "ops")).Info("audit: act")
			require.Contains(t, out.String()[len(before):], `"msg":"audit: act"`, level)
			require.Contains(t, out.String()[len(before):], `"by":"ops"`, level)
			said := len(out.String())
			l.Debug("detail")
			l.With(zap.Int("of", 1)).Info("usual")
			l.Warn("odd")
			l.Error("bad")
			for i, word := range []string{"detail", "usual", "odd", "bad"} {
				require.Equal(t, want[i], containsLine(out.String()[said:], word), "%s at %s", word, level)
			}
		}
		require.Equal(t, want[1], containsLine(out.String(), "of a name that is like it"))
	}
}

func containsLine(text, message string) bool { return strings.Contains(text, `"msg":"`+message+`"`) }

// What a supervisor does is in the log of a hotline that writes only what is odd.
func TestAuditOfAQuietHotline(t *testing.T) {
	t.Parallel()
	p := start(t, "serve", "--config", premises{data: filepath.Join(t.TempDir(), "data")}.file(t), "--log-format", "json", "--log-level", "error")
	p.says(t, "Ctrl-C")
	s := servingOf(t, p, "")
	status, _ := s.get("/api/v1/trace?peer=8003&for=1s", supervisorToken)
	require.Equal(t, http.StatusOK, status)
	p.stop()
	require.Equal(t, exitOK, p.code(t))
	require.Regexp(t, `"msg":"audit: SIP trace of a peer begins".*"by":"ops".*"peer":"8003"`, p.err.String())
	require.Contains(t, p.err.String(), "audit: SIP trace of a peer ends")
	require.NotContains(t, p.err.String(), "draining", "it is quiet")
}
