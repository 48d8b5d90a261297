package acd

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// running is a desk that runs until stop, inside a synctest bubble.
func running(t *testing.T, o Options) (c *Center, stop func()) {
	t.Helper()
	c, err := New(o)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- c.Run(ctx) }()
	synctest.Wait()
	return c, func() {
		cancel()
		require.NoError(t, <-ran)
	}
}

// TestFaultOfTheViews: whoever looks at a desk that cannot show itself is told so, and does not wait for ever; the
// desk goes on, and shows itself again as soon as it can.
func TestFaultOfTheViews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		panics := 0
		c, stop := running(t, Options{
			Queues: []Queue{{Name: "repair"}}, Phones: silent{}, Agents: []Agent{{ID: "8001", Skills: map[string]int{"repair": 5}}},
			OnPanic: func(string, any) { panics++ },
		})
		agents := make(chan []*agent, 1)
		c.inbox.put(func(d *desk) {
			agents <- d.agents
			d.agents = []*agent{nil}
		})
		_, err := c.Agents()
		require.ErrorIs(t, err, errFault)
		_, err = c.Queues()
		require.ErrorIs(t, err, errFault)
		synctest.Wait()
		require.NotZero(t, panics)
		c.inbox.put(func(d *desk) { d.agents = <-agents })
		shown, err := c.Agents()
		require.NoError(t, err)
		require.Len(t, shown, 1)
		stop()
	})
}

// TestBookedAndLoggedOut: an agent whose phone is being taken back for an alarm, and who logs out before it has
// stopped ringing, is not rung for the alarm; nor is one who logged out of the alarms alone, until everyone is rung.
func TestBookedAndLoggedOut(t *testing.T) {
	for _, tc := range []struct {
		name, queue  string
		rung         int // offers of the alarm, once the phone is free
		rungEveryone int // and once everyone is rung
	}{
		{"of everything", "", 0, 0},
		{"of the alarms", "gas", 0, 1},
		{"of another queue", "other", 1, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				phone := make(stubborn)
				c, stop := running(t, Options{
					Queues: []Queue{{Name: "gas"}, {Name: "repair"}, {Name: "other"}}, Phones: phone,
					Agents:     []Agent{{ID: "8001", Skills: map[string]int{"gas": 1, "repair": 1, "other": 1}}},
					NoProgress: time.Hour,
					Ladder:     Ladder{Queue: "gas", AllSkilled: 5 * time.Second, Everyone: 20 * time.Second, Duty: time.Minute},
				})
				c.Flow("8001", true)
				_, err := c.Join(t.Context(), call.Ticket{CallID: "lesser", Queue: "repair"})
				require.NoError(t, err)
				synctest.Wait()
				alarm, err := c.Join(t.Context(), call.Ticket{CallID: "alarm", Queue: "gas"})
				require.NoError(t, err)
				<-time.After(6 * time.Second)
				synctest.Wait() // the phone was asked to stop ringing
				require.NoError(t, c.Logout("8001", tc.queue))
				phone <- struct{}{}
				synctest.Wait()
				_, offers := alarm.Visit()
				require.Len(t, offers, tc.rung)
				if tc.rung == 0 && tc.rungEveryone == 1 {
					// The lesser caller has the phone again, until everyone is rung.
					<-time.After(15 * time.Second)
					synctest.Wait()
					phone <- struct{}{}
					synctest.Wait()
					_, offers = alarm.Visit()
				}
				require.Len(t, offers, tc.rungEveryone)
				require.True(t, alarm.Leave(call.CauseCancel))
				close(phone) // whatever rings on stops when it is asked to
				stop()
			})
		})
	}
}
