package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// pbxPassword is what the trunk of TestTrunkThatLogsIn proves itself with.
const pbxPassword = "of-the-pbx"

// TestTrunkThatLogsIn: a telephone system that has no address of ours and answers our challenge, a baresip over TCP, makes
// more calls than a stranger may be refused, to numbers that nobody has and to ours, and is banned for none of them; with a wrong password none is let in, and that is
// told. After a restart it is still known where it was, and calls.
func TestTrunkThatLogsIn(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	h := testkit.StartHotline(t, testkit.HotlineOptions{Race: true, Data: data, YAML: strings.Replace(city,
		"allow: [127.0.0.0/8]", "login: {username: pbx, password: "+pbxPassword+"}", 1)})
	pbx := func(password string) *testkit.Baresip {
		return caller(t, testkit.BaresipOptions{User: "pbx", Password: password, Registrar: h.SIP, Transport: "tcp"})
	}
	phone, finished := pbx(pbxPassword), 0
	call := func() {
		t.Helper()
		phone.Dial(h.Number("96777") + ";transport=tcp")
		phone.Await(testkit.CallEstablished)
		phone.Hangup()
		phone.Await(testkit.CallClosed)
		finished++
	}
	const refusalsOfStrangers = 10 // within 10 minutes
	const nonsense = refusalsOfStrangers + 2
	for range nonsense { // its people dial what nobody has, before they dial us
		phone.Dial(h.Number("55501") + ";transport=tcp")
		phone.Await(testkit.CallClosed)
	}
	for range refusalsOfStrangers + 2 {
		call()
	}
	require.JSONEq(t, `{"bans": []}`, string(h.Get("/api/v1/bans")))
	guesser := pbx("guess")
	guesser.Dial(h.Number("96777") + ";transport=tcp")
	guesser.Await(testkit.CallClosed)
	require.Positive(t, h.Metric(`hotline_trunk_logins_total{outcome="wrong"}`))
	require.InDelta(t, nonsense+finished, h.Metric(`hotline_trunk_logins_total{outcome="admitted"}`), 0)
	h.AwaitCalls(finished, "finished", testkit.Finished)

	h.Signal(syscall.SIGTERM)
	require.Zero(t, h.ExitCode())
	kept, err := os.ReadFile(filepath.Join(data, "homes.json"))
	require.NoError(t, err)
	require.Contains(t, string(kept), `{"account":"trunk/pbx","host":"127.0.0.1",`)
	h.Start()
	call()
	for _, r := range h.AwaitCalls(finished, "finished", testkit.Finished) {
		require.Equal(t, []string{"city", "96777", "pbx"}, []string{r.Trunk, r.To, r.From}, fmt.Sprint(r))
	}
	require.NotContains(t, h.Log(), pbxPassword)
}
