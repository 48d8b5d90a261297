package test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// farSteps are an alarm's, so that it climbs in no test.
const farSteps = "all_skilled: 8m, everyone: 9m, duty: 10m"

// TestTollFraudAfterReload: everybody is where a number outside is one key away, or one step, of those that the file names and
// `dial` allows. Then a reload takes the numbers and what allowed them away. Callers go by the menus and queues that they came
// to, whose numbers lead nowhere any more; so do an agent's transfer, and a callback that was promised; and an alarm has no duty
// list. Nothing reaches the carrier.
func TestTollFraudAfterReload(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"no rule", "another rule", "longer number"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := conditions()["may be"]
			s := newStreet(t, before)
			s.condition = conditions()[name]
			s.h.Edit(soonSteps, farSteps)
			s.reload()
			in := s.gather()
			s.forbid(before)
			s.stale(in)
			s.h.Edit(farSteps, soonSteps)
			s.reload()
			s.h.AwaitLog(`"step":"duty"`)
			s.h.AwaitWaiting("gas-alarm", 1)
			s.finished()
		})
	}
}

// gathered are those who are in when the numbers go.
type gathered struct {
	talker, served   *testkit.PhoneCall // one call, both ends
	later, night     *testkit.PhoneCall // in these queues
	chooser, further *testkit.PhoneCall // in the menu
	sentry           *testkit.Phone     // of the one agent for whom night has not turned its callers away
}

// gather has everybody in. A callback is booked, too, and an alarm waits.
func (s *street) gather() (in gathered) {
	s.t.Helper()
	in.talker = s.dial("13900001234", "96110")
	in.served = s.agent.AwaitCall()
	in.served.Answer()
	talkWith(s.t, s.h, "8002", 0)
	booker := s.dial("13900000006", "96140")
	booker.Await(testkit.Talking)
	s.h.AwaitWaiting("later", 1)
	booker.Press('1')
	s.h.AwaitWaiting("later", 0)
	booker.Press('1')
	booker.Await(testkit.Over)
	s.h.AwaitWaiting("later", 1)
	in.later = s.dial("13900001235", "96140")
	in.later.Await(testkit.Talking)
	s.h.AwaitWaiting("later", 2)
	in.sentry = s.phone("8005", "five")
	in.sentry.Register()
	s.h.AwaitAgent("8005", "ready")
	status, said := s.h.Post("/api/v1/agents/8005/pause", `{"reason": "test"}`)
	require.Equal(s.t, http.StatusOK, status, said)
	s.h.AwaitAgent("8005", "paused")
	in.night = s.dial("13900001236", "96120")
	s.h.AwaitWaiting("night", 1)
	in.chooser, in.further = s.dial("13900001237", "96777"), s.dial("13900001238", "96777")
	in.chooser.Await(testkit.Talking)
	in.further.Await(testkit.Talking)
	s.dial("13900001239", "96119")
	s.h.AwaitWaiting("gas-alarm", 1)
	require.Empty(s.t, s.audits())
	return in
}

// forbid has `dial` be that of the condition. As long as the file names numbers that it does not allow, it is not taken.
func (s *street) forbid(before condition) {
	s.t.Helper()
	s.h.Edit("dial: "+before.rules+"\n", "dial: "+s.rules+"\n")
	status, said := s.h.Post("/api/v1/reload", "")
	require.Equal(s.t, http.StatusUnprocessableEntity, status)
	require.Equal(s.t, 4, strings.Count(said, "a number that nothing in dial allows"), said)
	require.Contains(s.t, said, "alarm.duty[0]: a number that nothing allows to be dialled")
	for _, way := range outsideWays {
		s.h.Edit(way[0], way[1])
	}
	if s.dialNothing() {
		s.h.Edit(callbackKey, "")
	}
	s.reload()
}

func (s *street) reload() {
	s.t.Helper()
	status, said := s.h.Post("/api/v1/reload", "")
	require.Equal(s.t, http.StatusOK, status, said)
}

// stale has those who are in go where a number outside was.
func (s *street) stale(in gathered) {
	s.t.Helper()
	refused := func(number, agent string) {
		s.t.Helper()
		require.Equal(s.t, s.outcome, s.audited(number, agent, s.outcome))
	}
	in.served.Refer("13900000011", nil)
	refused("13900000011", "8002")
	require.Equal(s.t, s.status, in.served.AwaitTransfer())
	talkWith(s.t, s.h, "8002", 0)
	hangUp(in.talker)

	in.later.Press('2')
	refused("13900000001", "")
	s.h.AwaitWaiting("later", 2) // the old place
	hangUp(in.later)
	s.h.AwaitWaiting("later", 1)

	in.chooser.Press('2')
	refused("13900000003", "")
	hangUp(in.chooser)
	in.further.Press('3')
	refused("13900000004", "")
	in.further.Await(testkit.Over)

	in.sentry.Unregister()
	refused("13900000002", "")
	s.h.AwaitWaiting("night", 1)
	hangUp(in.night)

	other := s.phone("8003", "three")
	other.Register()
	rung := other.AwaitCall()
	rung.Answer()
	refused("13900000006", "8003")
	rung.Await(testkit.Over)
}
