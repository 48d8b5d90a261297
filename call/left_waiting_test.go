package call_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
	"hotline/media"
)

// TestPlaceLeftWithoutASeat: who leaves while a number outside is called, to which the queue or a key in it led, or
// while asked about a callback, has left the queue, and may take the place up again. Who is served outside, or goes
// elsewhere, has not.
func TestPlaceLeftWithoutASeat(t *testing.T) {
	dial := call.Next{Kind: call.Dial, Number: outside}
	queues := map[string]call.QueueOptions{
		"repair": {
			WaitPrompt: "please-wait", Overflow: map[call.Overflow]call.Next{call.QueueTooLong: dial},
			Treatment: call.Treatment{Keys: map[media.Key]call.Next{'1': dial}},
		},
		"gas-alarm": {WaitPrompt: "gas-safety"},
	}
	byKey := func(s *stage) { s.caller.Stream().Press('1') }
	byLimit := func(s *stage) { s.seat().Turn(call.QueueTooLong) }
	hangup := func(s *stage, _ *calltest.Dialer) { s.caller.End(call.Far, call.CauseBye) }
	for name, c := range map[string]struct {
		lead func(s *stage)
		then func(s *stage, d *calltest.Dialer)
		how  string
		left bool
	}{
		"by the limit": {byLimit, hangup, "abandoned", true},
		"by a key":     {byKey, hangup, "abandoned", true},
		"as the number answers": {byLimit, func(s *stage, d *calltest.Dialer) {
			s.caller.End(call.Far, call.CauseBye)
			d.Answer(calltest.NewLeg(outside))
		}, "abandoned", true},
		"while told that it is not reached": {byLimit, func(s *stage, d *calltest.Dialer) {
			require.True(s.t, d.Fail(call.CauseBusy))
			synctest.Wait()
			s.hears("number-unreached")
			hangup(s, d)
		}, "abandoned", true},
		"served outside": {byLimit, func(s *stage, d *calltest.Dialer) {
			require.True(s.t, d.Answer(calltest.NewLeg(outside)))
			synctest.Wait()
			hangup(s, d)
		}, "overflow", false},
		"for an alarm": {byLimit, func(s *stage, d *calltest.Dialer) {
			s.caller.Stream().Press('*')
			synctest.Wait()
			require.Equal(s.t, "gas-alarm", s.seat().Ticket.Queue)
			hangup(s, d)
		}, "overflow", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, dialer := waitingRoom(t, queues), &calltest.Dialer{}
				s.x.Dialer, s.x.Alarm = dialer, alarmStar
				var places []call.LeftPlace
				s.x.OnPlaceLeft = func(p call.LeftPlace) { places = append(places, p) }
				s.enter()
				s.at(10 * time.Second)
				c.lead(s)
				s.at(15 * time.Second)
				c.then(s, dialer)
				<-s.done
				r := s.records.finished(t)
				require.Equal(t, c.how, r.Visits[0].How)
				if !c.left {
					require.Empty(t, places)
					return
				}
				want := call.LeftPlace{Queue: "repair", Number: "13912345678", Entered: s.start, Left: time.Now()}
				require.Equal(t, []call.LeftPlace{want}, places)
				kept, ok := r.LeftPlace()
				require.True(t, ok, "the record says so too, for after a restart")
				require.Equal(t, want, kept)
			})
		})
	}
}
