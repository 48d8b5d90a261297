package test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

const (
	carrierAccount  = "075500000000"
	carrierPassword = "of-the-account"
)

// registering is city with a trunk that registers to a carrier, and is known by nothing else.
func registering(carrier *testkit.Carrier) string {
	return strings.Replace(city, "allow: [127.0.0.0/8]", fmt.Sprintf(
		"register: {address: udp://%s, username: %q, password: %s}", carrier.Addr, carrierAccount, carrierPassword), 1)
}

// awaitTrunk waits until the trunk's registration is in a state, by the API and by the metric.
func awaitTrunk(t *testing.T, h *testkit.Hotline, state string) {
	t.Helper()
	want := 0.0
	if state == "registered" {
		want = 1
	}
	testkit.Within(t, testkit.Patience, "the trunk to be "+state, func() bool {
		return strings.Contains(string(h.Get("/api/v1/trunks")), `"state":"`+state+`"`) &&
			h.Metric(`hotline_trunk_registered{trunk="city"}`) == want
	})
}

// TestRegistersAtCarrier: a trunk that is known by its registration alone, at a Kamailio that challenges by digest. Calls
// come by it; when the carrier is killed that is told, and when it is back, without any memory, they come again by
// themselves; a hotline that was killed has its calls back, each once; and one that is stopped gets none any more.
func TestRegistersAtCarrier(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"MD5", "SHA-256"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			carrier := testkit.StartCarrier(t, testkit.CarrierOptions{
				Account: carrierAccount, Password: carrierPassword, Algorithm: algorithm, Expires: 4,
			})
			h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: registering(carrier), Expires: "6s", T1: 100 * time.Millisecond})
			phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true, Lasts: 6})
			called := 0
			call := func() {
				t.Helper()
				called++
				from := fmt.Sprintf("139%08d", called)
				c := caller(t, testkit.BaresipOptions{User: from})
				c.Dial("sip:96110@" + carrier.Addr)
				h.AwaitCall("joined", func(r testkit.Record) bool { return r.From == from && r.Joined != nil })
				c.Hangup()
				phone.Await(testkit.CallClosed)
				r := h.AwaitCall("over", func(r testkit.Record) bool { return r.From == from && testkit.Finished(r) })
				require.Equal(t, []string{"city", "96110", "answered", "8002"}, []string{r.Trunk, r.To, r.Result, r.Agent})
				require.Len(t, h.Calls(), called, "each comes once")
				h.AwaitAgent("8002", "ready")
			}
			awaitTrunk(t, h, "registered")
			call()

			carrier.Kill()
			awaitTrunk(t, h, "unreachable")
			carrier.Start()
			awaitTrunk(t, h, "registered")
			call()

			h.Kill()
			h.Start()
			h.AwaitAgent("8002", "ready")
			awaitTrunk(t, h, "registered")
			call()

			h.Signal(syscall.SIGTERM)
			require.Zero(t, h.ExitCode())
			gone := testkit.StartCaller(t, testkit.SippCaller{To: carrier.Addr, Number: "96110", From: "13900005678", Expect: 404})
			require.Zero(t, gone.Wait(), gone.Messages())
			for _, secret := range []string{carrierPassword, carrierAccount} {
				require.NotContains(t, h.Log(), secret)
			}
		})
	}
}

// TestCarrierForgets: a carrier over UDP is killed and started within an instant, while our registration there has an hour to
// go, and no ping sees it. Calls come again by themselves.
func TestCarrierForgets(t *testing.T) {
	t.Parallel()
	carrier := testkit.StartCarrier(t, testkit.CarrierOptions{Account: carrierAccount, Password: carrierPassword})
	yaml := strings.Replace(registering(carrier), "password: "+carrierPassword, "password: "+carrierPassword+", refresh: 5s", 1)
	yaml = strings.Replace(yaml, "  - name: city\n", "  - name: city\n    ping: 0s\n", 1)
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: yaml})
	awaitTrunk(t, h, "registered")
	carrier.Kill()
	carrier.Start()
	lost := testkit.StartCaller(t, testkit.SippCaller{To: carrier.Addr, Number: "96777", From: "13900005678", Expect: 404})
	require.Zero(t, lost.Wait(), "it has forgotten us: %s", lost.Messages())
	refreshed := `hotline_trunk_registrations_total{outcome="refreshed",trunk="city"}` // none is told of before there is one
	testkit.Within(t, testkit.Patience, "the carrier to be told anew", func() bool {
		return strings.Contains(string(h.Get("/metrics")), refreshed)
	})
	c := caller(t, testkit.BaresipOptions{User: "13900000001"})
	c.Dial("sip:96777@" + carrier.Addr)
	h.AwaitCall("there", func(r testkit.Record) bool { return r.From == "13900000001" && r.Trunk == "city" })
	c.Hangup()
}

// twoCarriers is city with two trunks that numbers outside are called through, the first of which is asked whether it lives.
func twoCarriers(first, second *testkit.Carrier) string {
	trunk := func(name string, c *testkit.Carrier) string {
		return fmt.Sprintf("  - {name: %s, allow: [127.9.0.1], address: \"udp://%s\", username: %q, password: %s, from: \"96777\", ping: 1s}\n",
			name, c.Addr, carrierAccount, carrierPassword)
	}
	yaml := strings.Replace(city, "trunks:\n", "dial: [{prefix: \"139\", through: [first, second]}]\ntrunks:\n"+trunk("first", first)+trunk("second", second), 1)
	return strings.Replace(yaml, "repair:    {", `repair:    {when_empty: turn, overflow: {empty: {dial: "13912345678"}}, `, 1)
}

// TestFailsOverToTheNextTrunk: calls outside go by the first of two carriers, which both want our password. When it is
// killed they go by the second, at once; once it is known to be down it is not even tried; and when it is back it has them
// again.
func TestFailsOverToTheNextTrunk(t *testing.T) {
	t.Parallel()
	outside := testkit.StartAgent(t, testkit.SippAgent{Tone: thirdTone, Calls: 4})
	carrier := func() *testkit.Carrier {
		return testkit.StartCarrier(t, testkit.CarrierOptions{
			Account: carrierAccount, Password: carrierPassword, Outside: fmt.Sprintf("127.0.0.1:%d", outside.Port),
		})
	}
	first, second := carrier(), carrier()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: twoCarriers(first, second), T1: 100 * time.Millisecond, Race: true})
	metrics := func(line string, value int) bool { // none is told of before it is known
		return strings.Contains(string(h.Get("/metrics")), fmt.Sprintf("\n%s %d\n", line, value))
	}
	up := func(want int) {
		t.Helper()
		testkit.Within(t, testkit.Patience, "the first trunk's state to be known", func() bool {
			return metrics(`hotline_trunk_up{trunk="first"}`, want)
		})
	}
	tries := func(trunk string) int { return strings.Count(h.Log(), `"trunk":"`+trunk+`","outcome":`) }
	called := 0
	call := func(through string, answered int) {
		t.Helper()
		called++
		from := fmt.Sprintf("139%08d", called)
		c := caller(t, testkit.BaresipOptions{User: from})
		c.Dial(h.Number("96110"))
		h.AwaitCall("talking outside", func(r testkit.Record) bool {
			return r.From == from && len(r.Talks) == 1 && r.Talks[0].Joined != nil
		})
		require.True(t, metrics(fmt.Sprintf(`hotline_dial_total{outcome="answered",trunk=%q}`, through), answered))
		c.Hangup()
		h.AwaitCall("over", func(r testkit.Record) bool { return r.From == from && testkit.Finished(r) })
	}
	up(1)
	call("first", 1)

	first.Kill()
	call("second", 1)
	up(0)
	tried := tries("first")
	require.Positive(t, tried)
	call("second", 2)
	require.Equal(t, tried, tries("first"), "it is known to be down")

	first.Start()
	up(1)
	call("first", 2)
	require.Zero(t, outside.Wait(), outside.Messages())
	require.NotContains(t, h.Log(), carrierPassword)
}
