package test

import (
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestTLS: phones register over TLS, call and are called, while another certificate is put in the place of the first: the call
// is not disturbed, and phones that come after it register as before.
func TestTLS(t *testing.T) {
	t.Parallel()
	_, cert, key := testkit.Certificate(t)
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Certificate: cert, Key: key})
	tls := testkit.BaresipOptions{Registrar: h.TLS, Transport: "tls"}
	a := tls
	a.User, a.Password, a.Register, a.Auto, a.Tone = "8002", passwords["8002"], true, true, agentTone
	phone := testkit.StartBaresip(t, a)
	h.AwaitAgent("8002", "ready")
	c := tls
	c.User, c.Tone = "13900001234", callerTone
	caller := testkit.StartBaresip(t, c)
	caller.Dial("sip:96110@" + h.TLS + ";transport=tls")
	caller.Await(testkit.CallEstablished)
	h.AwaitCall("joined", func(r testkit.Record) bool { return r.Joined != nil })

	answer := exchangeCertificate(t, h, cert, key)
	require.NotContains(t, answer, "sip.listen")
	late := tls
	late.User, late.Password, late.Register = "8003", passwords["8003"], true
	testkit.StartBaresip(t, late)
	h.AwaitAgent("8003", "ready")

	talk(t, h, 1500*time.Millisecond)
	caller.Hangup()
	phone.Await(testkit.CallClosed)
	r := over(t, h)
	require.Equal(t, "answered", r.Result)
	require.Equal(t, "caller", r.Release)
	require.Equal(t, "8002", r.Agent)
	hears(t, testkit.ReadWAV(t, caller.Heard()).Channels[0], agentTone, callerTone)
	hears(t, testkit.ReadWAV(t, phone.Heard()).Channels[0], callerTone, agentTone)
}

// exchangeCertificate puts another certificate into a hotline's files, has them read, and returns the answer to that.
func exchangeCertificate(t *testing.T, h *testkit.Hotline, cert, key string) (answer string) {
	t.Helper()
	_, other, otherKey := testkit.Certificate(t)
	for from, to := range map[string]string{other: cert, otherKey: key} {
		data, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(to, data, 0o600))
	}
	status, answer := h.Post("/api/v1/reload", "")
	require.Equal(t, http.StatusOK, status, answer)
	return answer
}
