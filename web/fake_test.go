package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/media"
	"hotline/store/memstore"
)

// The tests' instant, and the tokens of each role.
var now = time.Date(2026, 3, 1, 10, 30, 0, 0, time.FixedZone("CST", 8*3600))

const (
	supervisorToken = "supervisor-secret"
	auditorToken    = "auditor-secret"
	agentToken      = "agent-secret"
	metricsToken    = "metrics-secret"
	ownToken        = "own-secret" // of agent 8002
)

// fakeHotline is a hotline with calls of the day, two of them in progress.
func fakeHotline(t *testing.T) Options {
	t.Helper()
	store := memstore.New()
	require.NoError(t, store.Finish(t.Context(), answered("c1", now.Add(-10*time.Minute))))
	live := answered("c2", now.Add(-90*time.Second))
	live.Ended, live.Result, live.Reason, live.Release = nil, "", "", ""
	live.Talks[0].Ended, live.TalkMet = nil, nil
	store.Begin(call.Record{ID: "c2", From: live.From, To: live.To, Started: live.Started})
	fresh := call.Record{
		ID: "c3", From: "13700001111", To: "96119", Started: now.Add(-5 * time.Second),
		Visits: []call.Visit{{Queue: "gas-alarm", Entered: now.Add(-4 * time.Second)}}, Queue: "gas-alarm",
	}
	wav := []byte("RIFF----WAVEfmt 0123456789")
	return Options{
		Location: now.Location(), Records: store,
		Settings: Settings{
			Service: "城市燃气服务热线", AnswerRings: 3, Talk: 3 * time.Minute, ServiceLevel: 15 * time.Second,
			Tokens: []Token{
				{Name: "ops", Role: Supervisor, Token: supervisorToken},
				{Name: "audit", Role: Auditor, Token: auditorToken},
				{Name: "desk", Role: AgentRole, Token: agentToken},
				{Name: "prometheus", Role: MetricsTap, Token: metricsToken},
				{Name: "unset", Role: Supervisor},
				{Name: "8002", Role: AgentRole, Token: ownToken, Agent: "8002"},
			},
		},
		Recording: func(name string) (io.ReadSeekCloser, time.Time, error) {
			if name != "c1.wav" {
				return nil, time.Time{}, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
			}
			return nopCloser{bytes.NewReader(wav)}, now, nil
		},
		Ladder: func(_ context.Context, id string) ([]call.SIPMessage, error) {
			if id != "c1" {
				return nil, call.ErrNotFound
			}
			return ladder(now.Add(-10 * time.Minute)), nil
		},
		Pcap: func(_ context.Context, id string, _ io.Writer, began func()) (done call.Capture, err error) {
			if id != "c1" {
				return done, call.ErrNotFound
			}
			began()
			return call.Capture{End: call.CaptureCallOver}, nil
		},
		Watch: func(_ context.Context, peer string, _ bool, began func(), _ func(call.SIPMessage) error) (int, error) {
			if peer != "8001" {
				return 0, ErrNoSuchOne
			}
			began()
			return 0, nil
		},
		Live: func() []call.Live {
			return []call.Live{{Record: live, At: call.Talk}, {Record: fresh, At: call.Wait}}
		},
		Queues: func() ([]call.QueueView, error) {
			return []call.QueueView{
				{Name: "repair", Strategy: "longest-idle", Priority: 20, AgentsServing: 2, AgentsReady: 1},
				{Name: "gas-alarm", Strategy: "ring-all", Priority: 100, Waiting: 1, LongestWait: 4.00049, Offering: 2},
			}, nil
		},
		Agents: func() ([]call.AgentView, error) {
			return []call.AgentView{
				{
					ID: "8002", Name: "李强", State: call.AgentTalking, Since: now.Add(-time.Minute), Skills: map[string]int{"repair": 5}, Call: "c2", Calls: 7,
					Queues: []string{"repair"}, WrapUpUntil: new(now.Add(time.Minute)), LastCode: "2", Today: call.Day{Calls: 7, Hangups: 1, Own: 2},
					Shift: call.Shift{Agent: "8002", Paused: true, Reason: "用餐", Since: now.Add(-time.Second)},
				},
				{ID: "8001", Name: "张敏", State: call.AgentReady, Since: now.Add(-time.Hour)},
			}, nil
		},
		Gatherer: prometheus.NewRegistry(), Clock: func() time.Time { return now },
	}
}

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }

// answered is a whole call of 60 s, with every field set.
func answered(id string, started time.Time) call.Record {
	at := func(s float64) *time.Time {
		t := started.UTC().Add(time.Duration(s * float64(time.Second)))
		return &t
	}
	yes, no := true, false
	return call.Record{
		ID: id, From: "13912345678", To: "96777", Trunk: "city", MenuPath: "main/2", Started: started,
		Accepted: at(0.0104), Ended: at(60),
		Visits: []call.Visit{{Queue: "repair", Entered: *at(5), Left: at(12.25), How: "answered"}},
		Offers: []call.Offer{{Agent: "8002", Queue: "repair", Sent: *at(5), Rung: at(5.1), Ended: at(12.25), How: "answered", Rings: 2}},
		Talks: []call.TalkRecord{{
			Agent: "8002", Queue: "repair", Answered: *at(12.25), Joined: at(14), Ended: at(60), Release: call.ByCaller,
			Holds: []call.Hold{{From: *at(20), To: at(25)}}, Code: &call.WrapUpCode{Code: "1", Text: "已解决"},
		}},
		Answers: map[string]string{"account": "12345678"}, Language: "en",
		Private: true, Diverted: []call.Diversion{{From: "02888886666", Reason: "no-answer", Header: "diversion"}},
		Transfers:    []call.Transfer{{At: *at(30), By: "8002", Kind: "blind", To: "agent:8003", Ended: at(31), How: "busy"}},
		Supervisions: []call.Supervision{{By: "9001", Mode: call.ModeWhisper, From: *at(32), To: at(40)}},
		Legs: []call.LegAudio{
			{
				Role: call.RoleCaller, Codec: media.PCMA, PacketsIn: 2387, PacketsOut: 2390, Lost: 3, Late: 1, Duplicate: 2,
				JitterMS: 1.2504, RoundTripMS: 40.0004, MOS: 4.2345, MOSIn: 4.2345,
			},
			{
				Role: call.RoleAgent, Agent: "8002", Codec: media.PCMU, Secure: true, PacketsIn: 2000, PacketsOut: 2001, Strangers: 5, FarLost: 7,
				FarJitterMS: 3, MOS: 4.1, MOSIn: 4.41, MOSOut: 4.1, Silent: 2, NoMedia: true,
				OneWay: &call.OneWay{At: *at(20), Count: 1, Healed: at(25)},
			},
		},
		MOS:     4.1,
		Release: call.ByCaller, Result: call.Answered, Reason: call.ReasonCallerHangup, Recording: id + ".wav",
		PromiseClock: at(5.1), Queue: "repair", Agent: "8002", Queued: at(5), Answered: at(12.25), Joined: at(14),
		Rings: 2, RingsMet: &yes, WaitSeconds: 7.250499, TalkSeconds: 47.75, HoldSeconds: 5, Holds: 1, LongestHoldSeconds: 5, TalkMet: &no,
	}
}

// get asks the handler and returns its answer, with a bearer token unless that is empty.
func get(t *testing.T, h http.Handler, path, token string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	return ask(t, h, http.MethodGet, path, token, header...)
}

func ask(t *testing.T, h http.Handler, method, path, token string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

var errDown = errors.New("draining")
