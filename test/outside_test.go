package test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestOverflowOutside: while nobody is logged in who serves the queue, its callers go to a number outside, and talk to who
// answers there. The next one, whom the rules of dialling allow no more, is not dropped: the place in the queue is kept, and
// the first agent who comes has the caller.
func TestOverflowOutside(t *testing.T) {
	t.Parallel()
	carrier := testkit.StartAgent(t, testkit.SippAgent{Tone: thirdTone})
	yaml := strings.NewReplacer(
		`{prefix: "139", through: city}`, `{prefix: "139", through: city, at_once: 1}`,
		`repair:    {keys: {"1": {callback: true}}, `, `repair:    {when_empty: turn, overflow: {empty: {dial: "13912345678"}}, `,
	).Replace(outward(carrier.Port))
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: yaml, Race: true, Ping: "10m"})
	wire := h.Capture()
	first := caller(t, testkit.BaresipOptions{User: "13900000001"})
	first.Dial(h.Number("96110"))
	r := h.AwaitCall("talking outside", func(r testkit.Record) bool { return len(r.Talks) == 1 && r.Talks[0].Joined != nil })
	require.Equal(t, "13912345678", r.Talks[0].Number)
	require.Equal(t, []string{"overflow", "empty"}, []string{r.Visits[0].How, r.Visits[0].Overflow})

	second := caller(t, testkit.BaresipOptions{User: "13900000002"})
	second.Dial(h.Number("96110"))
	h.AwaitLog(`"outcome":"at-once"`)
	h.AwaitWaiting("repair", 1)
	testkit.StartBaresip(t, testkit.BaresipOptions{ // called before its events can be listened to
		User: "8002", Password: passwords["8002"], Registrar: h.SIP, Register: true, Auto: true, Tone: agentTone,
	})
	served := h.AwaitCall("served", func(r testkit.Record) bool { return r.From == "13900000002" && r.Joined != nil })
	require.Equal(t, "8002", served.Agent)
	require.Len(t, served.Visits, 1, "the place of before")
	require.Equal(t, "answered", served.Visits[0].How)
	require.InDelta(t, 2, h.Metric(`hotline_overflow_total{queue="repair",reason="empty"}`), 0)
	first.Hangup()
	second.Hangup()
	for _, r := range h.AwaitCalls(2, "finished", testkit.Finished) {
		result := map[string]string{"13900000001": "overflow", "13900000002": "answered"}[r.From]
		require.Equal(t, []string{result, "caller"}, []string{r.Result, r.Release})
	}
	require.Zero(t, carrier.Wait(), carrier.Messages())
	require.Equal(t, 1, count(wire.SIP(), "INVITE", carrier.Port), "calls to the number outside")
	require.NotContains(t, h.Log(), "13912345678")
}

// TestNumberThatDoesNotExist: a carrier's 404 is told to whoever asked for the number, an agent who dials or one who hands a caller on,
// and is in the audit and the figures as what it is; the number is called once for each.
func TestNumberThatDoesNotExist(t *testing.T) {
	t.Parallel()
	const mistyped = "13900000010"
	s := newStreet(t, conditions()["may be"])
	s.exchange.Answers(404)
	dialled := s.agent.Call(mistyped)
	s.audited(mistyped, "8002", "not-found")
	dialled.Await(testkit.Over)
	require.Equal(t, "404", dialled.Ended())
	s.free()

	c := s.dial("13900001234", "96110")
	rung := s.agent.AwaitCall()
	rung.Answer()
	talkWith(t, s.h, "8002", 0)
	rung.Refer(mistyped, nil)
	s.audited(mistyped, "8002", "not-found")
	require.Equal(t, 404, rung.AwaitTransfer())
	talkWith(t, s.h, "8002", 0)
	require.Len(t, s.exchange.All(), 2)
	hangUp(c)
	for _, r := range s.h.AwaitCalls(2, "finished", testkit.Finished) {
		if r.From == "13900001234" {
			require.Equal(t, []testkit.Transfer{{By: "8002", Kind: "blind", To: "number:" + mistyped, How: "not-found"}}, r.Transfers)
		} else {
			require.Equal(t, []string{"failed", "not-found"}, []string{r.Result, r.Reason})
		}
	}
}
