package acd_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/acd"
	"hotline/call"
)

// reload puts a desk's lines in force.
func (l *lab) reload(lines string) {
	l.t.Helper()
	put, err := l.center.Reload(parseDesk(l.t, lines))
	require.NoError(l.t, err)
	put()
}

// What is wrong with other settings is told before anything has changed; and the alarm queue stays what it is.
func TestReloadChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, parseDesk(t, "queue gas alarm ladder=5s,10s,20s\nagent 8001 gas=1"))
		for _, lines := range []string{
			"queue gas ladder=5s,10s,20s strategy=none", "queue gas ladder=5s,10s,20s\nqueue gas", "queue gas ladder=5s,10s,1s",
			"queue gas ladder=5s,10s,20s widen=5s:0 widen=1s:0", "queue gas ladder=5s,10s,20s\nagent 8001\nagent 8001",
		} {
			_, err := l.center.Reload(parseDesk(t, lines))
			require.Error(t, err, lines)
		}
		_, err := l.center.Reload(parseDesk(t, "queue gas alarm"))
		require.ErrorIs(t, err, acd.ErrAlarmQueue)
		require.Len(t, acd.Must(l.center.Agents()), 1)
		l.stop()
		put, err := l.center.Reload(parseDesk(t, "queue gas alarm ladder=5s,10s,20s"))
		require.NoError(t, err)
		put() // nobody is there to take it in, and nobody waits for that
	})
}

// Many reloads while callers come, are answered and leave: none is lost, and none rings an agent who is no more.
func TestReloadStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, parseDesk(t, "queue a\nqueue b\nagent 8001 a=1 b=1\nagent 8002 a=1"))
		l.center.Flow("8001", true)
		l.center.Flow("8002", true)
		desks := []string{
			"queue b\nagent 8001 b=3\nagent 8003 b=1", "queue a widen=5s:-1\nqueue b strategy=ring-all\nagent 8002 a=1 b=1",
			"queue a strategy=round-robin\nagent 8001 a=2\nagent 8002 a=1", "queue c\nagent 8001 c=1",
			"queue a\nqueue b\nagent 8001 a=1 b=1\nagent 8002 a=1",
		}
		for i := range 200 {
			l.reload(desks[i%len(desks)])
			l.center.Flow("8001", true)
			l.center.Flow("8002", true)
			l.join(call.Ticket{CallID: fmt.Sprint("c", i), Queue: []string{"a", "b"}[i%2]})
			<-time.After(700 * time.Millisecond)
			for _, id := range []string{"8001", "8002"} {
				if i%3 == 0 && l.phones.end(id, "") {
					synctest.Wait()
					l.leg(id).End(call.Far, call.CauseBye)
				}
			}
			synctest.Wait()
		}
		l.reload(desks[len(desks)-1])
		l.center.Flow("8001", true)
		l.center.Flow("8002", true)
		waiting := 0
		for _, q := range acd.Must(l.center.Queues()) {
			waiting += q.Waiting
		}
		answered := 0
		for _, name := range l.names {
			visit, _ := l.seats[name].Visit()
			if visit.Left != nil {
				require.Equal(t, "answered", visit.How, name)
				answered++
			}
		}
		require.Equal(t, len(l.names), waiting+answered, "every caller waits or was answered")
		require.NotZero(t, answered)
		require.Len(t, acd.Must(l.center.Agents()), 2)
		l.stop()
	})
}

// A logout of everything is told again with the queues that a reload brought, so that a restart keeps it.
func TestReloadKeepsTheLogout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var kept call.Shift
		o := parseDesk(t, "queue a\nagent 8001 a=1")
		o.OnShift = func(s call.Shift) { kept = s }
		l := newLab(t, o)
		require.NoError(t, l.center.Logout("8001", ""))
		l.reload("queue a\nqueue b\nagent 8001 a=1 b=1")
		require.Equal(t, []string{"a", "b"}, kept.Out)
		l.stop()
	})
}

// A reload taken in at midnight's own instant, before the day has begun anew, does not cost that.
func TestReloadAtMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lines = "queue repair strategy=fewest-calls\nagent 8001 repair=1\nagent 8002 repair=1\nmidnight 1m"
		l := newLab(t, parseDesk(t, lines))
		l.center.Flow("8001", true)
		l.join(call.Ticket{CallID: "c1", Queue: "repair"})
		synctest.Wait()
		l.phones.end("8001", "")
		synctest.Wait()
		l.leg("8001").End(call.Far, call.CauseBye)
		synctest.Wait()
		put, err := l.center.Reload(parseDesk(t, strings.Replace(lines, "midnight 1m", "", 1)))
		require.NoError(t, err)
		first, second, done := l.center.Hold(), make(chan func(), 1), make(chan struct{})
		go func() { second <- l.center.Hold() }()
		synctest.Wait()
		go func() { put(); close(done) }()
		synctest.Wait()
		first() // what is held next, it takes in together with the reload
		release := <-second
		<-time.After(time.Minute)
		release()
		<-done
		l.center.Flow("8002", true)
		synctest.Wait()
		l.join(call.Ticket{CallID: "c2", Queue: "repair"})
		synctest.Wait()
		require.NotNil(t, l.phones.bell("8001"), "nobody has had a call today, and this one is idle longer")
		l.stop()
	})
}
