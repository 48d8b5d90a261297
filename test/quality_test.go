package test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestQuality: two makes of phones report what they hear, one at the port of RTP and one at its own, so each leg has its
// round trip and its scores, both ways; and a call on which nothing is wrong is not said to have a fault.
func TestQuality(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true})
	testkit.StartLinphonec(t, testkit.LinphonecOptions{
		User: "8002", Password: passwords["8002"], Registrar: h.SIP, Tone: agentTone,
	})
	h.AwaitAgent("8002", "ready")
	wire := h.Capture()
	c := caller(t, testkit.BaresipOptions{Mux: true})
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

	const senderReport, goodbye = 200, 203
	reports := map[string]int{}
	goodbyes := 0
	for _, p := range wire.RTCP() {
		ours := h.MediaPorts.Has(p.Src.Port())
		if ours && slices.Contains(p.Types, goodbye) {
			goodbyes++
		}
		if !slices.Contains(p.Types, senderReport) {
			continue
		}
		switch evenOurs, far := p.Src.Port()%2 == 0, p.Dst.Port(); {
		case ours && evenOurs && c.RTP.Has(far):
			reports["to the caller, from RTP's port"]++
			require.Zero(t, far%2)
		case ours && !evenOurs && !c.RTP.Has(far):
			reports["to the agent, from RTCP's port"]++
		case ours:
			require.Fail(t, "a report from the wrong port", "%v", p)
		}
	}
	require.Len(t, reports, 2)
	require.Equal(t, 2, goodbyes, "each leg ends with one (RFC 3550 section 6.6)")
}
