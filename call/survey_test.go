package call_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
	"hotline/media"
)

// asksHow asks one question, as a menu of kind survey does, and ends the call as a menu does.
type asksHow struct{}

func (asksHow) Walk(ctx context.Context, l call.Line, _ string) (call.Next, error) {
	key, err := l.Ask(ctx, 6*time.Second, "welcome")
	if err != nil {
		return call.Next{}, err
	}
	l.Rate("welcome", int(key-'0'))
	return call.DoneWith(call.Informed, call.ReasonMenu), nil
}

// surveying is a talk of a queue that has a survey.
func surveying(t *testing.T, afterHangup bool) (s *stage, agent *calltest.Leg, done chan struct{}) {
	t.Helper()
	s = newStage(t)
	s.x.Menus, s.x.Survey.Code = asksHow{}, "*9"
	s.x.Queues["repair"] = call.QueueOptions{WaitPrompt: "please-wait", Survey: "survey", SurveyAfterHangup: afterHangup}
	s.caller = calltest.NewLeg("caller")
	done = make(chan struct{})
	go func() {
		defer close(done)
		s.x.Serve(context.Background(), call.Incoming{
			Leg: s.caller, At: call.Next{Kind: call.Wait, Queue: "repair"}, From: customer, To: "96777", Trunk: "city", Received: time.Now(),
		})
	}()
	synctest.Wait()
	agent = calltest.NewLeg("8001")
	require.True(t, s.seat().Answer("8001", agent))
	time.Sleep(time.Minute)
	synctest.Wait()
	require.Equal(t, 1, s.bridge.Joined())
	return s, agent, done
}

func press(l *calltest.Leg, keys string, apart time.Duration) {
	for i, k := range []byte(keys) {
		if i > 0 {
			time.Sleep(apart)
		}
		l.Stream().Press(media.Key(k))
		synctest.Wait()
	}
}

// TestSurvey: an agent hands the caller over, by keys, by a transfer, or by hanging up where the queue says so; that is
// no hang-up of the agent's, and what the caller says is in the record.
func TestSurvey(t *testing.T) {
	for name, hand := range map[string]func(t *testing.T, agent *calltest.Leg){
		"keys":         func(_ *testing.T, agent *calltest.Leg) { press(agent, "*9", 3*time.Second) },
		"keys at last": func(_ *testing.T, agent *calltest.Leg) { press(agent, "12**9", time.Second) },
		"hanging up":   func(_ *testing.T, agent *calltest.Leg) { agent.End(call.Far, call.CauseBye) },
		"a transfer to it": func(t *testing.T, agent *calltest.Leg) {
			t.Helper()
			r := agent.Refer(call.Next{Kind: call.Code, Code: "*9"}, "")
			synctest.Wait()
			require.Equal(t, []string{"accepted", "done"}, r.Told())
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, agent, done := surveying(t, true)
				at := time.Now()
				hand(t, agent)
				synctest.Wait()
				_, over := call.EndOf(agent)
				require.True(t, over)
				_, over = call.EndOf(s.caller)
				require.False(t, over, "the caller is not cut")
				require.Equal(t, "welcome", s.caller.Stream().Playing())
				press(s.caller, "4", 0)
				<-done
				r := s.records.finished(t)
				require.Equal(t, call.End{Result: call.Answered, Reason: call.ReasonMenu}, call.End{Result: r.Result, Reason: r.Reason})
				require.Equal(t, call.BySystem, r.Talks[0].Release)
				require.Equal(t, call.BySystem, r.Release)
				require.Len(t, r.Survey, 1)
				require.False(t, r.Survey[0].At.Before(at))
				r.Survey[0].At = time.Time{}
				require.Equal(t, call.Score{Question: "welcome", Score: 4, Queue: "repair", Agent: "8001"}, r.Survey[0])
				require.Less(t, r.TalkSeconds, 70.)
			})
		})
	}
}

// What does not hand a caller over.
func TestSurveyNot(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(s *stage, agent *calltest.Leg)
		over bool
	}{
		"keys too far apart": {do: func(_ *stage, agent *calltest.Leg) { press(agent, "*9", 3*time.Second+time.Millisecond) }},
		"the caller's keys":  {do: func(s *stage, _ *calltest.Leg) { press(s.caller, "*9", time.Second) }},
		"no survey": {do: func(s *stage, agent *calltest.Leg) {
			s.x.Queues["repair"] = call.QueueOptions{}
			press(agent, "*9", time.Second)
			r := agent.Refer(call.Next{Kind: call.Code, Code: "*9"}, "")
			synctest.Wait()
			require.Equal(s.t, []string{"refused not-found"}, r.Told())
		}},
		"another code": {do: func(s *stage, agent *calltest.Leg) {
			r := agent.Refer(call.Next{Kind: call.Code, Code: "*8"}, "")
			synctest.Wait()
			require.Equal(s.t, []string{"refused not-found"}, r.Told())
		}},
		"hanging up where the queue does not say so": {over: true, do: func(_ *stage, agent *calltest.Leg) {
			agent.End(call.Far, call.CauseBye)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, agent, done := surveying(t, false)
				c.do(s, agent)
				synctest.Wait()
				if !c.over {
					require.Equal(t, 1, s.bridge.Joined())
					s.caller.End(call.Far, call.CauseBye)
				}
				<-done
				r := s.records.finished(t)
				require.Empty(t, r.Survey)
				require.Equal(t, map[bool]call.Release{true: call.ByAgent, false: call.ByCaller}[c.over], r.Release)
			})
		})
	}
}

// Who hangs up in the survey has been answered all the same, and has released the call.
func TestSurveyHungUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, agent, done := surveying(t, false)
		press(agent, "*9", time.Second)
		s.caller.End(call.Far, call.CauseBye)
		<-done
		r := s.records.finished(t)
		require.Equal(t, call.End{Result: call.Answered, Reason: call.ReasonCallerHangup}, call.End{Result: r.Result, Reason: r.Reason})
		require.Equal(t, call.ByCaller, r.Release)
	})
}

// The scores kept are bounded, and counted by queue.
func TestSurveyFigures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		s := newStage(t)
		o := s.x.Options
		o.Registry, o.Menus = reg, rates{}
		x, err := call.NewExchange(o)
		require.NoError(t, err)
		leg := calltest.NewLeg("caller")
		x.Serve(t.Context(), call.Incoming{Leg: leg, At: call.Next{Kind: call.Menu, Menu: "main"}, Received: time.Now()})
		require.Len(t, s.records.finished(t).Survey, call.MaxScores)
		n, err := testutil.GatherAndCount(reg, "hotline_survey_score")
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
}

type rates struct{}

func (rates) Walk(_ context.Context, l call.Line, _ string) (call.Next, error) {
	for range 2 * call.MaxScores {
		l.Rate("welcome", 5)
	}
	return call.DoneWith(call.Informed, call.ReasonMenu), nil
}

// The way through menus that a record keeps is bounded, however often a caller goes round.
func TestMenuPathIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		o := s.x.Options
		o.Menus = roundAndRound{}
		x, err := call.NewExchange(o)
		require.NoError(t, err)
		x.Serve(t.Context(), call.Incoming{Leg: calltest.NewLeg("caller"), At: call.Next{Kind: call.Menu, Menu: "main"}, Received: time.Now()})
		path := s.records.finished(t).MenuPath
		require.LessOrEqual(t, len(path), call.MaxMenuPath)
		require.Greater(t, len(path), call.MaxMenuPath-20)
		require.True(t, strings.HasPrefix(path, "main/9/main/9/"))
		require.Equal(t, 1, strings.Count(path, "…"))
	})
}

type roundAndRound struct{}

func (roundAndRound) Walk(_ context.Context, l call.Line, _ string) (call.Next, error) {
	for range 10_000 {
		l.Chose("main", "9")
	}
	return call.DoneWith(call.Informed, call.ReasonMenu), nil
}
