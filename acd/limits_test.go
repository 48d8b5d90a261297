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

// What scripts say of limits:
//
//	queue NAME max-waiting=2 max-wait=30s max-expected=1m when-empty=turn rejoin=3m
//	open QUEUE FROM TO                 taking callers between two times; always, without such a line
//	join CALL QUEUE [stay] [from=NUMBER]

func limit(t *testing.T, q *acd.Queue, key, value string) {
	t.Helper()
	switch key {
	case "max-waiting":
		q.MaxWaiting = number(t, value)
	case "max-wait":
		q.MaxWait = duration(t, value)
	case "max-expected":
		q.MaxExpected = duration(t, value)
	case "when-empty":
		q.TurnWhenEmpty = value == "turn"
	case "rejoin":
		q.Rejoin = duration(t, value)
	default:
		t.Fatalf("unknown setting %q", key)
	}
}

func openFrom(t *testing.T, others func(string, time.Time) bool, words []string) func(string, time.Time) bool {
	t.Helper()
	from, to := time.Now().Add(duration(t, words[1])), time.Now().Add(duration(t, words[2]))
	return func(queue string, at time.Time) bool {
		if queue == words[0] {
			return !at.Before(from) && at.Before(to)
		}
		return others == nil || others(queue, at)
	}
}

func ticketWord(ticket *call.Ticket, word string) {
	ticket.Stay = ticket.Stay || word == "stay"
	if from, ok := strings.CutPrefix(word, "from="); ok {
		ticket.From, ticket.Asserted = from, true
	}
}

func (l *lab) place(callers []string) {
	for _, c := range callers {
		l.seats[c].AskPlace()
	}
	synctest.Wait()
	for _, c := range callers {
		select {
		case p := <-l.seats[c].Placed():
			l.logf("place %s %d expected=%v", c, p.Position, p.Expected)
		default:
			l.logf("place %s untold", c)
		}
	}
}

func rejoined(visit call.Visit, since func(*time.Time) string) string {
	if !visit.Rejoined {
		return ""
	}
	return fmt.Sprintf(" rejoined since=%s", since(visit.Since))
}

// TestTurnedAwayExplains: being turned away is a decision like any other, and is there as soon as the caller
// knows.
func TestTurnedAwayExplains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := ringAll(2)
		o.Queues[0].Limits = acd.Limits{TurnWhenEmpty: true}
		l := newLab(t, o)
		seat, err := l.center.Join(t.Context(), call.Ticket{CallID: "c1", Queue: o.Queues[0].Name})
		require.NoError(t, err)
		require.Equal(t, call.QueueEmpty, <-seat.Turned())
		require.True(t, seat.Leave(call.CauseBye), "the seat is given up")
		visit, offers := seat.Visit()
		require.Equal(t, call.QueueEmpty, visit.Overflow)
		require.Empty(t, offers)
		require.Equal(t, []call.Decision{{
			At: time.Now(), Queue: o.Queues[0].Name, Rule: "overflow:empty", Chosen: []string{}, Candidates: []call.Candidate{},
			Excluded: map[string]int{string(call.AgentOffline): 2},
		}}, seat.Decisions())
		l.stop()
	})
}
