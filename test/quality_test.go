package test

import (
	"strings"
	"testing"
	"time"

	"hotline/internal/testkit"
)

// TestQuality: two makes of phones report of what they hear, so each leg has its round trip and its scores, both ways;
// and a call on which nothing is wrong is not said to have a fault.
func TestQuality(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true})
	testkit.StartLinphonec(t, testkit.LinphonecOptions{
		User: "8002", Password: passwords["8002"], Registrar: h.SIP, Tone: agentTone,
	})
	h.AwaitAgent("8002", "ready")
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	talk(t, h, 20*time.Second) // our first report goes out within 7.5 s (RFC 3550 section 6.3.1), and each phone's every 5
	c.Hangup()
	over(t, h)
	for _, line := range []string{
		`hotline_rtp_mos_count{direction="in"} 2`,
		`hotline_rtp_mos_count{direction="out"} 2`,
		`hotline_rtp_round_trip_seconds_count 2`,
		`hotline_rtp_faults_total{kind="one-way"} 0`,
		`hotline_rtp_faults_total{kind="silent"} 0`,
	} {
		testkit.Within(t, testkit.Patience, line, func() bool {
			return strings.Contains(string(h.Get("/metrics")), line+"\n")
		})
	}
}
