package acd_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/acd"
	"hotline/call"
	"hotline/call/calltest"
)

// TestDutyIsToldWhoCalls: the duty list is called for the alarm's caller, as far as a trunk says who that is, so that a trunk
// may show the number.
func TestDutyIsToldWhoCalls(t *testing.T) {
	for name, c := range map[string]struct {
		ticket call.Ticket
		want   call.DialRequest
	}{
		"asserted": {
			call.Ticket{From: "13912345678", To: "96119", Asserted: true}, call.DialRequest{Caller: "13912345678", Dialled: "96119"},
		},
		"withheld": {
			call.Ticket{From: "13912345678", To: "96119", Asserted: true, Private: true},
			call.DialRequest{Caller: "13912345678", Dialled: "96119", Private: true},
		},
		"hearsay": {call.Ticket{From: "13912345678", To: "96119"}, call.DialRequest{Dialled: "96119"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dialer := &calltest.Dialer{}
				l := newLab(t, acd.Options{
					Queues: []acd.Queue{{Name: "gas"}}, Dialer: dialer,
					Ladder: acd.Ladder{Queue: "gas", AllSkilled: time.Second, Everyone: 2 * time.Second, Duty: 3 * time.Second, Numbers: []string{"139"}},
				})
				c.ticket.CallID, c.ticket.Queue = "alarm", "gas"
				seat := l.join(c.ticket)
				time.Sleep(4 * time.Second)
				synctest.Wait()
				asked := dialer.Asked()
				require.Len(t, asked, 1)
				require.Equal(t, []string{"139", "alarm"}, []string{asked[0].Number, asked[0].CallID})
				require.Equal(t, c.want, call.DialRequest{Caller: asked[0].Caller, Private: asked[0].Private, Dialled: asked[0].Dialled})
				require.True(t, seat.Leave(call.CauseCancel))
				l.stop()
			})
		})
	}
}
