package acd_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"hotline/acd"
	"hotline/call"
)

// A supervisor's phone is no agent's: it is not among those counted by what they do, whatever a reload makes of whom.
func TestSupervisorsAreNoAgentsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewPedanticRegistry()
		o := parseDesk(t, "queue a\nagent 8001 a=1\nagent 9001 supervisor")
		o.Registry = registry
		l := newLab(t, o)
		l.center.Flow("8001", true)
		l.center.Flow("9001", true)
		counted := func(offline, ready int) {
			t.Helper()
			synctest.Wait()
			var want strings.Builder
			want.WriteString("# HELP hotline_agents Agents by what they are doing; supervisors are none of them.\n# TYPE hotline_agents gauge\n")
			for _, state := range []call.AgentState{"logged-out", "offline", "paused", "ready", "ringing", "talking", "wrap-up"} {
				fmt.Fprintf(&want, "hotline_agents{state=%q} %d\n", state, map[call.AgentState]int{"offline": offline, "ready": ready}[state])
			}
			require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(want.String()), "hotline_agents"))
		}
		counted(0, 1)
		require.Equal(t, call.AgentReady, l.state("9001"), "but what they do is seen")
		require.True(t, l.agent("9001").Supervisor)
		l.center.Engaged("9001", l.newLeg("9001"))
		counted(0, 1)
		l.reload("queue a\nagent 8001 supervisor\nagent 9001 supervisor")
		counted(0, 0)
		l.leg("9001").End(call.Far, call.CauseBye)
		l.reload("queue a\nagent 8001 a=1\nagent 9001 a=1\nagent 9002 supervisor")
		counted(0, 2)
		l.center.Flow("9001", false)
		counted(1, 1)
		l.reload("queue a\nagent 8001 a=1")
		counted(0, 1)
		l.stop()
	})
}

// A queue that a reload took away, and that nobody serves any more, is served by all, of whom a supervisor is none.
func TestSupervisorsServeNoRetiredQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, parseDesk(t, "queue a\nqueue b\nagent 8001 b=1\nagent 9001 supervisor"))
		l.center.Flow("9001", true)
		l.join(call.Ticket{CallID: "c1", Queue: "a"})
		l.reload("queue b\nagent 8001 b=1\nagent 9001 supervisor")
		<-time.After(time.Minute)
		synctest.Wait()
		require.Nil(t, l.phones.bell("9001"))
		require.Zero(t, acd.Must(l.center.Queues())[1].AgentsServing)
		l.center.Flow("8001", true)
		synctest.Wait()
		require.NotNil(t, l.phones.bell("8001"))
		l.stop()
	})
}
