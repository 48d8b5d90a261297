package test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestRegistersByTLS: a trunk that registers by digest over TLS to a Kamailio whose certificate an authority of its own signed. Calls
// come and go over that one connection. When it is killed and started at once, with an hour of the registration to go, it is
// registered to anew by itself, and has calls for us again. A trunk at the same address whose certificate is to be another's has
// nothing sent, and the log says why.
func TestRegistersByTLS(t *testing.T) {
	t.Parallel()
	ca, cert, key := testkit.Certificate(t)
	outside := testkit.StartAgent(t, testkit.SippAgent{Tone: thirdTone, Calls: 2})
	carrier := testkit.StartCarrier(t, testkit.CarrierOptions{
		Account: carrierAccount, Password: carrierPassword, Certificate: cert, Key: key,
		Outside: fmt.Sprintf("127.0.0.1:%d", outside.Port),
	})
	account := fmt.Sprintf("username: %q, password: %s", carrierAccount, carrierPassword)
	yaml := strings.Replace(city, "    allow: [127.0.0.0/8]\n", fmt.Sprintf(
		"    address: tls://localhost:%d\n    from: \"96777\"\n    tls: {ca: %s}\n    register: {%s}\n", carrier.Port, ca, account), 1)
	yaml = strings.Replace(yaml, "trunks:\n", "dial: [{prefix: \"139\", through: city}]\ntrunks:\n"+fmt.Sprintf(
		"  - {name: other, tls: {ca: %s, name: sip.other.example}, register: {address: \"tls://127.0.0.1:%d\", %s}}\n", ca, carrier.Port, account), 1)
	yaml = strings.Replace(yaml, "repair:    {", `repair:    {when_empty: turn, overflow: {empty: {dial: "13912345678"}}, `, 1)
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: yaml, Race: true, Certificate: cert, Key: key})
	has := func(line string) bool { return regexp.MustCompile(`(?m)^` + line).Match(h.Get("/metrics")) }
	awaits := func(line string) {
		t.Helper()
		testkit.Within(t, testkit.Patience, "the metrics to say "+line, func() bool { return has(line) })
	}
	called := 0
	call := func() { // in by the carrier, and out by it
		t.Helper()
		called++
		from := fmt.Sprintf("138%08d", called)
		c := caller(t, testkit.BaresipOptions{User: from})
		c.Dial("sip:96110@" + carrier.Addr)
		h.AwaitCall("talking outside", func(r testkit.Record) bool {
			return r.From == from && len(r.Talks) == 1 && r.Talks[0].Joined != nil
		})
		c.Hangup()
		r := h.AwaitCall("over", func(r testkit.Record) bool { return r.From == from && testkit.Finished(r) })
		require.Equal(t, []string{"city", "96110"}, []string{r.Trunk, r.To})
		require.True(t, has(fmt.Sprintf(`hotline_dial_total\{outcome="answered",trunk="city"\} %d$`, called)))
	}
	awaits(`hotline_trunk_registered\{trunk="city"\} 1$`)
	call()
	require.True(t, has(`hotline_trunk_connections_total\{outcome="made",trunk="city"\} 1$`), "one connection for all")

	carrier.Kill()
	carrier.Start()
	awaits(`hotline_trunk_registrations_total\{outcome="(refreshed",trunk="city"\} [1-9]|registered",trunk="city"\} [2-9])`)
	awaits(`hotline_trunk_connections_total\{outcome="made",trunk="city"\} 2$`)
	call()

	awaits(`hotline_trunk_connections_total\{outcome="untrusted",trunk="other"\} [1-9]`)
	require.True(t, has(`hotline_trunk_registered\{trunk="other"\} 0$`))
	h.AwaitLog(`it is not for \"sip.other.example\"`)
	require.NotContains(t, h.Log(), carrierPassword)
}
