package web

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// todayDTO is what came of the calls since midnight in the service's time zone, of all or of those of one first
// queue. It is counted from records, so a restart changes nothing.
type todayDTO struct {
	Offered      int      `json:"offered"`
	Answered     int      `json:"answered"`
	Abandoned    int      `json:"abandoned"`
	RingsKept    *float64 `json:"rings_kept"` // shares are 0..1, null when nothing counts yet
	RingsMissed  int      `json:"rings_missed"`
	TalkKept     *float64 `json:"talk_kept"`
	TalkMissed   int      `json:"talk_missed"`
	ServiceLevel *float64 `json:"service_level"` // answered within T ÷ (answered + abandoned after T)
	// ServiceLevelOfAnswered is answered within T ÷ answered.
	ServiceLevelOfAnswered *float64 `json:"service_level_of_answered"`
	ConnectRate            *float64 `json:"connect_rate"`
	// MeanWait is of the answered, until the first agent; LongestWait of all, in vain or not.
	MeanWait    *seconds `json:"mean_wait_seconds"`
	LongestWait seconds  `json:"longest_wait_seconds"`
}

func todayOf(n call.Summary) *todayDTO {
	known := func(share float64, ok bool) *float64 {
		if !ok {
			return nil
		}
		return &share
	}
	t := &todayDTO{
		Offered: n.Offered, Answered: n.Answered, Abandoned: n.Abandoned,
		RingsKept: known(n.RingsKept()), RingsMissed: n.RingsMissed,
		TalkKept: known(n.TalkKept()), TalkMissed: n.TalkMissed,
		ServiceLevel: known(n.ServiceLevel()), ServiceLevelOfAnswered: known(n.ServiceLevelOfAnswered()),
		ConnectRate: known(n.ConnectRate()), LongestWait: seconds(n.LongestWait.Seconds()),
	}
	if wait, ok := n.MeanWait(); ok {
		t.MeanWait = new(seconds(wait.Seconds()))
	}
	return t
}

// wholeDay is of all calls; nil when they could not be counted.
func wholeDay(today call.Summaries) *todayDTO {
	if today == nil {
		return nil
	}
	return todayOf(today.Total())
}

// today is the day's count that all who ask within summaryEvery share, so that a wall of pages costs what one does.
type today struct {
	mu       sync.Mutex // held while it is counted: who asks meanwhile waits for that count
	counts   call.Summaries
	counted  time.Time
	midnight time.Time     // when the day began that was counted
	level    time.Duration // the service level's time that it was counted by
}

// today are the calls since midnight, as they were within the last summaryEvery; nil when the store cannot tell. Another
// day, or another service level by a reload, is counted at once.
func (s *Server) today(ctx context.Context, now time.Time) call.Summaries {
	if s.o.Records == nil {
		return nil
	}
	year, month, day := now.In(s.o.Location).Date()
	midnight, level := time.Date(year, month, day, 0, 0, 0, 0, s.o.Location), s.inForce.Load().ServiceLevel
	t := &s.day
	t.mu.Lock()
	defer t.mu.Unlock()
	age := now.Sub(t.counted)
	if !t.counted.IsZero() && age >= 0 && age < summaryEvery && midnight.Equal(t.midnight) && level == t.level {
		return t.counts
	}
	// Whoever asked may be gone: the others wait for it all the same.
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), summaryTimeout)
	defer cancel()
	counts, err := s.o.Records.Summaries(within, midnight, level)
	if err != nil {
		s.o.Logger.Warn("today's calls not counted", zap.Error(err))
		counts = nil
	}
	t.counts, t.counted, t.midnight, t.level = counts, now, midnight, level
	return counts
}
