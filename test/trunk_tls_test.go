package test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"hotline/internal/testkit"
)

// TestTrunkByTLS: a caller is put through to a real phone outside by a trunk of TLS, whose certificate is for the host of the
// address; both hear each other. A trunk at the same address whose certificate is to be another's has nothing sent, and
// the log says why.
func TestTrunkByTLS(t *testing.T) {
	t.Parallel()
	ca, cert, key := testkit.Certificate(t)
	outside := testkit.StartBaresip(t, testkit.BaresipOptions{
		User: "13912345678", Auto: true, Tone: thirdTone, Certificate: cert, Key: key,
	})
	trunk := func(name, host, tls string) string {
		return fmt.Sprintf("  - {name: %s, address: \"tls://%s:%d\", tls: {ca: %s%s}, from: \"96777\", ping: 1s}\n", name, host, outside.TLSPort(), ca, tls)
	}
	yaml := strings.Replace(city, "trunks:\n", "dial: [{prefix: \"139\", through: [other, carrier]}]\ntrunks:\n"+
		trunk("carrier", "localhost", "")+trunk("other", "127.0.0.1", ", name: sip.other.example"), 1)
	yaml = strings.Replace(yaml, "repair:    {", `repair:    {when_empty: turn, overflow: {empty: {dial: "13912345678"}}, `, 1)
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: yaml, Race: true, Certificate: cert, Key: key})
	metrics := func(lines ...string) {
		t.Helper()
		testkit.Within(t, testkit.Patience, "the metrics to say "+strings.Join(lines, ", "), func() bool {
			all := string(h.Get("/metrics"))
			for _, line := range lines {
				if !strings.Contains(all, "\n"+line) {
					return false
				}
			}
			return true
		})
	}
	metrics(`hotline_trunk_up{trunk="carrier"} 1`, `hotline_trunk_up{trunk="other"} 0`,
		`hotline_trunk_connections_total{outcome="made",trunk="carrier"} 1`, `hotline_trunk_connections_total{outcome="untrusted",trunk="carrier"} 0`)
	testkit.Within(t, testkit.Patience, "the other's certificate to be refused", func() bool {
		return regexp.MustCompile(`\nhotline_trunk_connections_total\{outcome="untrusted",trunk="other"\} [1-9]`).Match(h.Get("/metrics"))
	})
	h.AwaitLog(`it is not for \"sip.other.example\"`)

	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	h.AwaitCall("talking outside", func(r testkit.Record) bool {
		return len(r.Talks) == 1 && r.Talks[0].Joined != nil && time.Since(*r.Talks[0].Joined) > 1500*time.Millisecond
	})
	c.Hangup()
	outside.Await(testkit.CallClosed)
	h.AwaitCall("over", testkit.Finished)
	hears(t, testkit.ReadWAV(t, c.Heard()).Channels[0], thirdTone, callerTone)
	hears(t, testkit.ReadWAV(t, outside.Heard()).Channels[0], callerTone, thirdTone)
	metrics(`hotline_dial_total{outcome="answered",trunk="carrier"} 1`, `hotline_trunk_connections_total{outcome="made",trunk="carrier"} 1`)
}
