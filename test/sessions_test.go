package test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
	"hotline/sip"
)

// TestNoTakeoverInTalk: while an agent talks no other phone gets the place, and the talk goes on; when it is over,
// the same desk gets it.
func TestNoTakeoverInTalk(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Ping: "10m"})
	agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	talk(t, h, 0)
	testkit.StartBaresip(t, testkit.BaresipOptions{
		User: "8002", Password: passwords["8002"], Registrar: h.SIP, RegisterFails: true,
	})
	h.AwaitLog("second phone refused while the agent is busy")
	h.AwaitAgent("8002", "talking")
	c.Hangup()
	require.Equal(t, "caller-hangup", over(t, h).Reason)
	require.NotContains(t, h.Log(), "another phone took the agent's place")
	agent(t, h, "8002", testkit.BaresipOptions{})
	h.AwaitLog("another phone took the agent's place")
}

// TestHA1OnRealPhones: phones register with the password that the configuration holds only the HA1 of, by MD5
// and by SHA-256.
func TestHA1OnRealPhones(t *testing.T) {
	t.Parallel()
	yaml := city
	for id, algorithm := range map[string]string{"8002": "md5", "8003": "sha-256"} {
		ha1, err := sip.HA1(algorithm, id, "hotline", passwords[id])
		require.NoError(t, err)
		yaml = strings.Replace(yaml, "password: "+passwords[id], fmt.Sprintf("ha1: {%s: %s}", algorithm, ha1), 1)
	}
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: yaml, Race: true})
	agent(t, h, "8002", testkit.BaresipOptions{})
	testkit.StartLinphonec(t, testkit.LinphonecOptions{
		User: "8003", Password: passwords["8003"], Registrar: h.SIP, Tone: agentTone,
	})
	h.AwaitAgent("8003", "ready")
}
