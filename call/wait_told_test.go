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

// TestPlaceIsNotToldAgainAfterAQuestion: who comes back to the same place in the queue, from a wish taken back or a
// number not reached, knows it already.
func TestPlaceIsNotToldAgainAfterAQuestion(t *testing.T) {
	for name, away := range map[string]func(s *stage, d *calltest.Dialer){
		"callback": func(s *stage, _ *calltest.Dialer) { s.caller.Stream().Press('2') },
		"number": func(s *stage, d *calltest.Dialer) {
			s.caller.Stream().Press('1')
			synctest.Wait()
			require.True(s.t, d.Fail(call.CauseBusy))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := waitingRoom(t, map[string]call.QueueOptions{"repair": {
					WaitPrompt: "please-wait", Treatment: call.Treatment{
						Position: 30 * time.Second, Expected: true,
						Keys: map[media.Key]call.Next{'1': {Kind: call.Dial, Number: outside}, '2': {Kind: call.Callback}},
					},
				}})
				d := &calltest.Dialer{}
				s.x.Dialer = d
				s.enter()
				told := func() (n int) {
					for _, name := range s.caller.Stream().Played() {
						if name == "position-before" || name == "expected-before" {
							n++
						}
					}
					return n
				}
				s.at(29 * time.Second)
				s.seat().SetPlace(call.Place{Position: 3, Expected: 4 * time.Minute})
				s.at(40 * time.Second)
				require.Equal(t, 2, told())
				away(s, d)
				s.at(60 * time.Second)
				require.Len(t, s.desk.Seats(), 2)
				s.seat().SetPlace(call.Place{Position: 4, Expected: 5 * time.Minute})
				s.at(3 * time.Minute)
				require.Equal(t, 2, told(), "it has got worse, if anything")
				s.seat().SetPlace(call.Place{Position: 2, Expected: 5 * time.Minute})
				s.at(4 * time.Minute)
				require.Equal(t, 3, told())
				s.heard()
			})
		})
	}
}

// TestPlaceIsToldAsItIs: what was to be told of the place, and is not so any more before it could be, is not told.
func TestPlaceIsToldAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := waitingRoom(t, map[string]call.QueueOptions{"repair": {
			WaitPrompt: "please-wait", Treatment: call.Treatment{Position: 400 * time.Millisecond, Expected: true},
		}})
		s.enter() // the prompt lasts a second
		s.seat().SetPlace(call.Place{Position: 3, Expected: 2 * time.Minute})
		s.at(500 * time.Millisecond)
		s.seat().SetPlace(call.Place{Position: 4, Expected: 4 * time.Minute})
		s.at(7 * time.Second)
		require.Equal(t, []string{
			"please-wait", "position-before", "4", "position-after", "expected-before", "4", "expected-after", "hold-music",
		}, s.heard())
	})
}
