package test

import (
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/internal/testkit"
)

// TestReloadUnderCalls: the menus change while a telephone is in them: it goes on by the old ones. The next caller has
// the new ones, whose queue an agent serves who was not there at the start. What is wrong in the file changes nothing.
func TestReloadUnderCalls(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true})
	old := agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	first := testkit.StartCaller(t, testkit.SippCaller{
		To: h.SIP, Number: "96777", From: "13900001234", Keys: "2", KeyEvery: 4 * time.Second, Tone: callerTone,
		HangUpAfter: 12 * time.Second,
	})
	h.AwaitCall("the first caller in the menu", func(r testkit.Record) bool { return r.Answered == nil })

	h.Edit(`keys: {"1": {queue: consult}, "2": {queue: repair}}`, `keys: {"1": {queue: consult}, "2": {queue: nobodys}}`)
	status, answer := h.Post("/api/v1/reload", "")
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, answer, "nobodys")

	h.Edit("queue: nobodys", "queue: night")
	h.Edit("queues:\n", "queues:\n  night: {}\n")
	h.Edit("agents:\n", "agents:\n  - {id: \"8005\", password: five, skills: {night: 1}}\n")
	h.Signal(syscall.SIGHUP)
	h.AwaitLog("queues and agents reloaded")
	added := testkit.StartBaresip(t, testkit.BaresipOptions{
		User: "8005", Password: "five", Registrar: h.SIP, Register: true, Auto: true, Tone: agentTone,
	})
	h.AwaitAgent("8005", string(call.AgentReady))

	second := testkit.StartCaller(t, testkit.SippCaller{
		To: h.SIP, Number: "96777", From: "13900005678", Keys: "2", HangUpAfter: 8 * time.Second,
	})
	added.Await(testkit.CallEstablished)
	old.Await(testkit.CallEstablished)
	require.Zero(t, first.Wait(), first.Messages())
	require.Zero(t, second.Wait(), second.Messages())
	queues := map[string]string{}
	for _, r := range h.AwaitCalls(2, "both over", testkit.Finished) {
		require.Equal(t, "main/2", r.MenuPath)
		queues[r.From] = r.Queue + " " + r.Agent
	}
	require.Equal(t, map[string]string{"13900001234": "repair 8002", "13900005678": "night 8005"}, queues)
}
