package acd

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestRegularsAreBounded: those soonest to be forgotten go first when there are too many, and each when its queue says
// so; what is told out of order changes nothing.
func TestRegularsAreBounded(t *testing.T) {
	r := newRegulars([]Queue{{Name: "repair", LastAgent: LastAgent{Within: time.Hour}}})
	start := time.Now()
	at := func(i int) time.Time { return start.Add(time.Duration(i) * time.Millisecond) }
	number := func(i int) numberAt { return numberAt{"repair", fmt.Sprint(i)} }
	one, two := &agent{Agent: Agent{ID: "8001"}}, &agent{Agent: Agent{ID: "8002"}}
	for i := range maxRegulars + 10 {
		r.learn(number(i), one, at(i), at(i))
	}
	now := at(maxRegulars + 10)
	require.Len(t, r.by, maxRegulars)
	require.Equal(t, maxRegulars, r.soon.len())
	require.Nil(t, r.find(number(9), time.Hour, now))
	require.Same(t, one, r.find(number(10), time.Hour, now))

	r.learn(number(10), two, at(9), now)
	require.Same(t, one, r.find(number(10), time.Hour, now), "an older talk than the one known")
	r.learn(number(10), two, now, now)
	require.Same(t, two, r.find(number(10), time.Hour, now))
	require.Equal(t, maxRegulars, r.soon.len())

	require.Equal(t, now.Add(time.Hour), r.forget(now.Add(time.Hour)), "to the instant it counts")
	require.Len(t, r.by, 1, "numbers older than anybody wants are forgotten")
	r.learn(number(12), two, now, now.Add(time.Hour+1))
	require.NotContains(t, r.by, number(12), "and not learned")
	r.learn(numberAt{"gas", "139"}, two, now, now)
	require.Len(t, r.by, 1, "nor are those of a queue that wants none")
}

// TestRegularsByQueue: a number is remembered for as long as its own queue wants it.
func TestRegularsByQueue(t *testing.T) {
	r := newRegulars([]Queue{
		{Name: "repair", LastAgent: LastAgent{Within: time.Hour}}, {Name: "consult", LastAgent: LastAgent{Within: time.Minute}},
	})
	now, one := time.Now(), &agent{Agent: Agent{ID: "8001"}}
	r.learn(numberAt{"repair", "139"}, one, now, now)
	r.learn(numberAt{"consult", "139"}, one, now, now)
	require.Equal(t, now.Add(time.Minute), r.forget(now.Add(time.Minute)))
	require.Equal(t, now.Add(time.Hour), r.forget(now.Add(time.Minute+1)))
	require.Nil(t, r.find(numberAt{"consult", "139"}, time.Hour, now))
	require.Same(t, one, r.find(numberAt{"repair", "139"}, time.Hour, now))
	require.Zero(t, r.forget(now.Add(time.Hour+1)))
}

// TestLastAgentExplained: the decision says why; and one who waits for an agent is not lost by a panic at the desk.
func TestLastAgentExplained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := New(Options{
			Queues: []Queue{{Name: "repair", LastAgent: LastAgent{Within: time.Hour, Wait: 9 * time.Second}}}, Phones: silent{},
			Agents: []Agent{{ID: "8001", Skills: map[string]int{"repair": 5}}, {ID: "8002", Skills: map[string]int{"repair": 3}}},
		})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- c.Run(ctx) }()
		now := time.Now()
		c.Finished(call.Record{From: "139", Started: now, Talks: []call.TalkRecord{{Agent: "8002", Queue: "repair", Ended: &now}}})
		c.Flow("8002", true)
		mine, err := c.Join(t.Context(), call.Ticket{CallID: "c1", Queue: "repair", From: "139"})
		require.NoError(t, err)
		synctest.Wait()
		decisions := mine.Decisions()
		require.NotEmpty(t, decisions)
		require.Equal(t, ruleLastAgent, decisions[0].Rule)
		require.Equal(t, []string{"8002"}, decisions[0].Chosen)

		next, err := c.Join(t.Context(), call.Ticket{CallID: "c2", Queue: "repair", From: "139"})
		require.NoError(t, err)
		c.Flow("8001", true)
		synctest.Wait()
		c.inbox.put(func(d *desk) {
			d.alarms.clear()
			d.byAgent["8002"].direct.clear()
			panic("half way")
		})
		<-time.After(9*time.Second - 1)
		synctest.Wait()
		_, offers := next.Visit()
		require.Empty(t, offers)
		<-time.After(1)
		synctest.Wait()
		_, offers = next.Visit()
		require.Len(t, offers, 1)
		require.Equal(t, "8001", offers[0].Agent)
		cancel()
		require.NoError(t, <-ran)
	})
}
