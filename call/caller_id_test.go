package call_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
)

// TestForWhomIsDialled: a number outside is called for a caller whose number a trunk asserted, and whose wish not to be shown
// goes with it; never for one who says so alone.
func TestForWhomIsDialled(t *testing.T) {
	for name, c := range map[string]struct {
		in   call.Incoming
		want call.DialRequest
	}{
		"a caller":              {call.Incoming{From: customer, To: "96777", Trunk: "city"}, call.DialRequest{Caller: customer, Dialled: "96777"}},
		"who is not to be seen": {call.Incoming{From: customer, To: "96777", Trunk: "city", Private: true}, call.DialRequest{Caller: customer, Private: true, Dialled: "96777"}},
		"by hearsay":            {call.Incoming{From: customer, To: "96777", Trunk: "city", Unproven: true}, call.DialRequest{Dialled: "96777"}},
		"an agent":              {call.Incoming{From: "8001", To: outside, Agent: "8001"}, call.DialRequest{Agent: "8001"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, dialer := waitingRoom(t, nil), &calltest.Dialer{}
				s.x.Dialer = dialer
				s.caller = calltest.NewLeg("caller")
				c.in.Leg, c.in.Received, c.in.At = s.caller, time.Now(), call.Next{Kind: call.Dial, Number: outside}
				go func() {
					defer close(s.done)
					s.x.Serve(context.Background(), c.in)
				}()
				synctest.Wait()
				asked := dialer.Asked()
				require.Len(t, asked, 1)
				require.Equal(t, c.want, call.DialRequest{
					Agent: asked[0].Agent, Caller: asked[0].Caller, Private: asked[0].Private, Dialled: asked[0].Dialled,
				})
				s.caller.End(call.Far, call.CauseCancel)
				<-s.done
			})
		})
	}
}

// TestHearsayIsNotRemembered: who left a queue is known again by a number that was asserted, and by no other.
func TestHearsayIsNotRemembered(t *testing.T) {
	left := time.Now()
	r := call.Record{
		From: customer, Trunk: "city", Visits: []call.Visit{{Queue: "repair", Entered: left.Add(-time.Minute), Left: &left, How: string(call.Abandoned)}},
	}
	_, ok := r.LeftPlace()
	require.True(t, ok)
	r.Unproven = true
	_, ok = r.LeftPlace()
	require.False(t, ok)
}
