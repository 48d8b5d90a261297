package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"hotline/call"
	"hotline/notify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// receiver is a program that is told, in simulated time: answer says what each try is answered.
type receiver struct {
	start  time.Time
	answer func(n int, m notify.Message) (status int, header http.Header, err error)

	mu   sync.Mutex
	seen []string // "seconds kind step attempt"
}

func (r *receiver) Do(req *http.Request) (*http.Response, error) {
	var m notify.Message
	if err := json.NewDecoder(req.Body).Decode(&m); err != nil {
		return nil, err
	}
	r.mu.Lock()
	n := len(r.seen)
	r.seen = append(r.seen, fmt.Sprintf("%d %s %s %s", int(time.Since(r.start).Seconds()), m.Kind, m.Step, req.Header.Get(notify.HeaderAttempt)))
	answer := r.answer
	r.mu.Unlock()
	status, header := http.StatusNoContent, http.Header{}
	if answer != nil {
		var err error
		if status, header, err = answer(n, m); err != nil {
			return nil, err
		}
	}
	if status == 0 { // it hangs
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader("ok"))}, nil
}

func (r *receiver) tries() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.seen...)
}

// lab is a hub with one hook, in a bubble.
type lab struct {
	t   *testing.T
	o   notify.Options
	hub *notify.Hub
	reg *prometheus.Registry
	end context.CancelFunc
	ran chan error
}

func start(t *testing.T, client notify.Doer, change ...func(*notify.Options)) *lab {
	t.Helper()
	l := &lab{t: t, reg: prometheus.NewRegistry(), ran: make(chan error, 1)}
	l.o = notify.Options{
		Hooks: []notify.Hook{{Name: "duty", URL: "https://example.org/hook?token=hush", Secret: "s3cret"}},
		Dir:   filepath.Join(t.TempDir(), "webhooks"), Client: client, Queues: []string{"repair"}, Registry: l.reg,
	}
	for _, c := range change {
		c(&l.o)
	}
	var err error
	l.hub, err = notify.New(l.o)
	require.NoError(t, err)
	var ctx context.Context
	ctx, l.end = context.WithCancel(context.Background())
	go func() { l.ran <- l.hub.Run(ctx) }()
	return l
}

func (l *lab) stop() {
	l.t.Helper()
	l.end()
	require.NoError(l.t, <-l.ran)
}

// total is a counter of the hook's.
func (l *lab) total(outcome string) float64 {
	l.t.Helper()
	families, err := l.reg.Gather()
	require.NoError(l.t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, label := range m.GetLabel() {
				if f.GetName() == "hotline_webhook_total" && label.GetName() == "outcome" && label.GetValue() == outcome {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	l.t.Fatalf("no outcome %s", outcome)
	return 0
}

func event(kind call.EventKind, step string) call.Event {
	return call.Event{Kind: kind, At: time.Now(), Call: "c1", Queue: "repair", From: "13912345678", Step: step}
}

// While the first is not taken none of the others is tried, and the pauses double, a fifth either way.
func TestOrderIsKeptWhileRetrying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{start: time.Now(), answer: func(n int, _ notify.Message) (int, http.Header, error) {
			if n < 5 {
				return []int{500, 404, 401, 302, 503}[n], nil, nil
			}
			return 200, nil, nil
		}}
		l := start(t, r)
		l.hub.Tell(event(call.EventOverflow, "one"))
		l.hub.Tell(event(call.EventOverflow, "two"))
		time.Sleep(time.Minute)
		l.stop()
		require.Len(t, r.tries(), 7)
		last := 0
		for i, try := range r.tries()[:6] {
			var at, attempt int
			var kind, step string
			_, err := fmt.Sscan(try, &at, &kind, &step, &attempt)
			require.NoError(t, err)
			require.Equal(t, "one", step)
			require.Equal(t, i+1, attempt)
			if i > 0 {
				pause := float64(int(1) << (i - 1))
				require.InDelta(t, pause, at-last, 0.2*pause+1, try)
			}
			last = at
		}
		require.Contains(t, r.tries()[6], "overflow two 1")
		require.InDelta(t, 5, l.total("failed"), 0)
		require.InDelta(t, 2, l.total("delivered"), 0)
	})
}

// An alarm is sent at once, whatever waits or hangs before it, and tried again within seconds.
func TestAlarmsGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{start: time.Now(), answer: func(n int, m notify.Message) (int, http.Header, error) {
			switch {
			case m.Kind == call.EventAlarm && n < 12:
				return 500, nil, nil
			case m.Kind == call.EventAlarm:
				return 200, nil, nil
			default:
				return 0, nil, nil
			}
		}}
		l := start(t, r)
		for i := range 100 {
			l.hub.Tell(event(call.EventWaitLong, strconv.Itoa(i)))
		}
		time.Sleep(5 * time.Second)
		require.Equal(t, []string{"0 wait-long 0 1"}, r.tries())
		l.hub.Tell(event(call.EventAlarm, ""))
		synctest.Wait()
		require.Equal(t, "5 alarm  1", r.tries()[1])
		time.Sleep(3 * time.Minute)
		require.InDelta(t, 1, l.total("delivered"), 0)
		at := 0
		for _, try := range r.tries()[1:] {
			if strings.Contains(try, "alarm") {
				var now int
				_, err := fmt.Sscan(try, &now)
				require.NoError(t, err)
				require.LessOrEqual(t, now-at, 19, "never slower than 15 s and a fifth")
				at = now
			}
		}
		l.stop()
	})
}

// What will never be taken makes room; what the receiver asks to wait for is waited for; a transport's error and a
// hanging endpoint are tried again; after a day an event is given up.
func TestAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{start: time.Now(), answer: func(n int, _ notify.Message) (int, http.Header, error) {
			switch n {
			case 0:
				return http.StatusGone, nil, nil
			case 1:
				return http.StatusTooManyRequests, http.Header{"Retry-After": {"100"}}, nil
			case 2:
				return 0, nil, errors.New("connection refused")
			case 3:
				return 0, nil, nil
			default:
				return 500, nil, nil
			}
		}}
		l := start(t, r)
		l.hub.Tell(event(call.EventOverflow, "refused"))
		l.hub.Tell(event(call.EventOverflow, "later"))
		time.Sleep(3 * time.Minute)
		require.InDelta(t, 1, l.total("refused"), 0)
		tries := r.tries()
		require.Equal(t, "0 overflow refused 1", tries[0])
		require.Equal(t, "0 overflow later 1", tries[1])
		require.Equal(t, "100 overflow later 2", tries[2])
		time.Sleep(25 * time.Hour)
		require.InDelta(t, 1, l.total("expired"), 0)
		l.stop()
	})
}

// No answer keeps alarms waiting longer than their lane does by itself.
func TestAlarmsWaitForNoRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{start: time.Now(), answer: func(n int, _ notify.Message) (int, http.Header, error) {
			if n == 0 {
				return http.StatusServiceUnavailable, http.Header{"Retry-After": {"300"}}, nil
			}
			return 200, nil, nil
		}}
		l := start(t, r)
		l.hub.Tell(event(call.EventAlarm, "gas"))
		time.Sleep(15 * time.Second)
		synctest.Wait()
		require.InDelta(t, 1, l.total("delivered"), 0)
		l.stop()
	})
}

// What waits is bounded: the oldest is dropped, but not the one that is being tried; alarms lose nothing by it.
func TestTheQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{start: time.Now(), answer: func(n int, m notify.Message) (int, http.Header, error) {
			if n == 0 {
				return 0, nil, nil
			}
			return 200, nil, nil
		}}
		l := start(t, r)
		l.hub.Tell(event(call.EventOverflow, "first"))
		synctest.Wait()
		for i := range 1009 {
			l.hub.Tell(event(call.EventOverflow, strconv.Itoa(i)))
		}
		problems, err := testutil.GatherAndLint(l.reg)
		require.NoError(t, err)
		require.Empty(t, problems)
		require.NoError(t, testutil.GatherAndCompare(l.reg, strings.NewReader(
			"# HELP hotline_webhook_queue Events that wait for a webhook to take them.\n# TYPE hotline_webhook_queue gauge\nhotline_webhook_queue{hook=\"duty\"} 1000\n"), "hotline_webhook_queue"))
		time.Sleep(time.Minute)
		l.stop()
		require.InDelta(t, 10, l.total("dropped"), 0)
		require.InDelta(t, 1000, l.total("delivered"), 0)
		require.Contains(t, r.tries()[1], "first 2")
		require.Contains(t, r.tries()[2], " 10 1", "0 to 9 were dropped")
	})
}

// An event told twice is sent once; one that a hook does not want is counted all the same.
func TestOnceAndWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{start: time.Now()}
		l := start(t, r, func(o *notify.Options) { o.Hooks[0].Events = []call.EventKind{call.EventAlarm} })
		e := event(call.EventAlarm, "")
		l.hub.Tell(e)
		l.hub.Tell(e)
		l.hub.Tell(event(call.EventOverflow, "full"))
		other := event(call.EventOverflow, "full")
		other.Queue = "13912345678" // text that is no queue's is no label
		l.hub.Tell(other)
		synctest.Wait()
		l.stop()
		require.Equal(t, []string{"0 alarm  1"}, r.tries())
		var want strings.Builder
		want.WriteString("# HELP hotline_target_events_total What was told while it could still be acted on, by kind (half of a target used up, the whole, alarms) and queue.\n# TYPE hotline_target_events_total counter\n")
		for _, kind := range call.EventKinds() {
			for _, q := range []string{"none", "repair"} {
				n := 0
				if kind == call.EventOverflow || kind == call.EventAlarm && q == "repair" {
					n = 1
				}
				fmt.Fprintf(&want, "hotline_target_events_total{kind=%q,queue=%q} %d\n", kind, q, n)
			}
		}
		require.NoError(t, testutil.GatherAndCompare(l.reg, strings.NewReader(want.String()), "hotline_target_events_total"))
		require.ErrorIs(t, l.hub.Run(t.Context()), notify.ErrRunning)
	})
}

func TestOptions(t *testing.T) {
	_, err := notify.New(notify.Options{Hooks: []notify.Hook{
		{Name: "a", URL: "https://example.org", Secret: ""},
		{Name: "b", URL: "ftp://example.org", Secret: "hush"},
		{Name: "../c", URL: "https://example.org", Secret: "hush"},
		{Name: "d", URL: "https://u:hush@example.org", Secret: "hush"},
	}})
	for _, part := range []string{`"a": no secret`, `"b": not the URL`, `"../c": not a name`, `"d": not the URL`, "client and a folder"} {
		require.ErrorContains(t, err, part)
	}
	require.NotContains(t, err.Error(), "hush")
	h, err := notify.New(notify.Options{})
	require.NoError(t, err, "without hooks events are counted alone")
	h.Tell(event(call.EventAlarm, ""))
	require.NoError(t, h.Close())
	require.ErrorIs(t, h.Run(t.Context()), notify.ErrRunning)
}
