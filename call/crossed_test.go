package call_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
)

// served has a customer talk to 8001.
func served(t *testing.T) *town {
	t.Helper()
	w := newTown(t)
	w.line("call M 13912345678 queue:repair")
	w.line("answer M 8001")
	<-time.After(7 * time.Second)
	return w
}

// TestReflexAfterLoss: what the phone is told may be lost and sent again; the reflex is counted from when the
// phone has heard it, or it would cost the caller the call.
func TestReflexAfterLoss(t *testing.T) {
	for name, after := range map[string]time.Duration{"not heard yet": -1, "just heard": 0, "heard long ago": time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := served(t)
				w.line("refer r 8001@M agent:8002")
				w.told["r"].Deafen(true)
				w.line("fail M declined")
				<-time.After(4 * time.Second)
				if after >= 0 {
					w.told["r"].Deafen(false)
					<-time.After(after)
				}
				w.line("end 8001@M bye")
				if after > time.Second {
					w.wg.Wait()
					require.Equal(t, call.ReasonAgentHangup, w.books.finished(t, w.id("M")).Reason)
					return
				}
				require.Len(t, w.x.Live(), 1, "the caller waits")
				require.True(t, w.seatOf("M").Ticket.Front)
				require.NoError(t, w.rest())
			})
		})
	}
}

// TestReferAndBye: a phone that hangs up in the instant in which it asked, without waiting for an answer, has
// asked first: its wish is looked at first too, whatever the owner sees first.
func TestReferAndBye(t *testing.T) {
	for name, c := range map[string]struct {
		late  bool // its REFER has got 487 by then
		front bool
	}{"in time": {false, false}, "answered 487": {true, true}} {
		t.Run(name, func(t *testing.T) {
			for range 20 {
				synctest.Test(t, func(t *testing.T) {
					w := served(t)
					ref, agent, gate := &calltest.Referral{}, w.legs["8001@M"], make(chan struct{})
					require.True(t, agent.Post(call.Reoffered{ // holds the owner up
						Leg: "other", Refuse: func(call.Cause) { <-gate },
					}))
					synctest.Wait()
					if c.late {
						ref.Late()
					}
					require.True(t, agent.Post(call.Referred{
						Leg: agent.ID(), At: time.Now(), Referral: ref,
						To: call.Next{Kind: call.Wait, Agent: "8002", Once: true},
					}))
					agent.End(call.Far, call.CauseBye)
					close(gate)
					synctest.Wait()
					require.Len(t, w.x.Live(), 1, "the caller waits")
					require.Equal(t, c.front, w.seatOf("M").Ticket.Front)
					require.Equal(t, !c.late, w.seatOf("M").Ticket.Once)
					require.NoError(t, w.rest())
				})
			}
		})
	}
}

// TestReferTooLate: of a REFER that was answered before its owner came to it, nothing comes.
func TestReferTooLate(t *testing.T) {
	for _, replaces := range []string{"", " replaces=caller@K"} {
		synctest.Test(t, func(t *testing.T) {
			w := served(t)
			w.line("call K by=8001 agent:8002")
			w.line("answer K 8002")
			ref, agent := &calltest.Referral{}, w.legs["8001@M"]
			ref.Late()
			cmd := call.Referred{Leg: agent.ID(), At: time.Now(), Referral: ref, To: nextOf("agent:8003")}
			if replaces != "" {
				cmd.Replaces = w.legs["caller@K"].ID()
			}
			require.True(t, agent.Post(cmd))
			synctest.Wait()
			require.Equal(t, 2, w.bridge.Joined(), "both talks go on")
			require.Equal(t, []string{"refused error"}, ref.Told())
			require.NoError(t, w.rest())
		})
	}
}
