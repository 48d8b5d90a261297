package call_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"hotline/call"
	"hotline/call/calltest"
	"hotline/media"
)

var update = flag.Bool("update", false, "write what came out into the cases")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestCalls runs the cases in testdata: each a script of what parties do at which second, and the
// record and sounds that must come of it. Time is synctest's, so seconds are exact.
func TestCalls(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			require.NoError(t, err)
			require.Len(t, a.Files, 2, "a case has the files script and want")
			var got string
			synctest.Test(t, func(t *testing.T) { got = newStage(t).play(string(a.Files[0].Data)) })
			if *update {
				a.Files[1].Data = []byte(got)
				require.NoError(t, os.WriteFile(file, txtar.Format(a), 0o644))
			}
			require.Equal(t, string(a.Files[1].Data), got)
		})
	}
}

// stage is one case being played.
type stage struct {
	t       *testing.T
	start   time.Time
	x       *call.Exchange
	desk    *calltest.Desk
	bridge  *calltest.Bridger
	rec     *recorder
	caller  *calltest.Leg
	agents  map[string]*calltest.Leg
	records *records
	panics  int
	done    chan struct{}
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{
		t: t, start: time.Now(), desk: &calltest.Desk{Queues: map[string]bool{"repair": true, "gas-alarm": true}},
		bridge: &calltest.Bridger{}, rec: &recorder{}, agents: map[string]*calltest.Leg{},
		records: &records{}, done: make(chan struct{}),
	}
	x, err := call.NewExchange(call.Options{
		Menus: menus{}, Desk: s.desk, Bridge: s.bridge, Recorder: s.rec, Records: s.records, Prompts: prompts{},
		Queues:  map[string]call.QueueOptions{"repair": {WaitPrompt: "please-wait"}, "gas-alarm": {WaitPrompt: "gas-safety"}},
		Shed:    map[string]call.ShedMenu{"main": {Queue: "gas-alarm", Keys: "3*", Prompts: []string{"busy-alarm-only", "3"}}},
		Targets: call.Targets{Rings: 3, Cycle: 5 * time.Second, Talk: 3 * time.Minute},
		OnPanic: func(string, any) { s.panics++ },
	})
	require.NoError(t, err)
	s.x = x
	return s
}

// play runs a script, one line after the other, and tells what came of it.
func (s *stage) play(script string) string {
	for sc := bufio.NewScanner(strings.NewReader(script)); sc.Scan(); {
		f := strings.Fields(sc.Text())
		if len(f) == 0 || f[0] == "#" {
			continue
		}
		at, err := time.ParseDuration(f[0])
		require.NoError(s.t, err)
		time.Sleep(at - time.Since(s.start))
		synctest.Wait()
		s.act(f[1], f[2:])
		synctest.Wait()
	}
	<-s.done
	return s.tell()
}

func (s *stage) act(what string, args []string) {
	switch what {
	case "dial": // dial menu main
		s.dial(args[0], args[1])
	case "key":
		s.caller.Stream().Press(media.Key(args[0][0]))
	case "decide": // so many times
		n, err := strconv.Atoi(args[0])
		require.NoError(s.t, err)
		for range n {
			s.seat().Decide(call.Decision{Rule: args[1]})
		}
	case "ring":
		s.seat().Ring(args[0])
	case "answer":
		l := calltest.NewLeg(args[0])
		s.agents[args[0]] = l
		require.True(s.t, s.seat().Answer(args[0], l))
	case "answer-outside": // a number of the duty list
		l := calltest.NewLeg(args[0])
		s.agents[args[0]] = l
		require.True(s.t, s.seat().AnswerOutside(args[0], l))
	case "answer-and-leave": // in the same instant: the call sees the answer first
		l := calltest.NewLeg(args[0])
		s.agents[args[0]] = l
		l.WhenOwned(func() { s.caller.End(call.Far, call.CauseBye) })
		require.True(s.t, s.seat().Answer(args[0], l))
	case "leave-and-answer": // in the same instant: the call sees the hangup first, and the seat was answered
		l := calltest.NewLeg(args[0])
		s.agents[args[0]] = l
		s.seat().AnswerAfter(func() { s.caller.End(call.Far, call.CauseBye) }, args[0], l)
	case "turn": // the queue turns the caller away
		s.seat().Turn(call.Overflow(args[0]))
	case "caller":
		s.caller.End(call.Far, call.Cause(args[0]))
	case "agent":
		s.agents[args[0]].End(call.Far, call.Cause(args[1]))
	case "hold", "resume":
		require.True(s.t, <-s.agents[args[0]].Reoffer(what == "hold"))
	case "caller-holds", "caller-resumes":
		require.True(s.t, <-s.caller.Reoffer(what == "caller-holds"))
	case "bye-then-hold": // the agent holds after the caller has left, but that is looked at first
		l := s.agents[args[0]]
		require.True(s.t, l.Post(call.Reoffered{
			Leg: l.ID(), At: time.Now().Add(time.Second), Refuse: func(call.Cause) {},
			Accept: func() (bool, error) {
				s.caller.End(call.Far, call.CauseBye)
				time.Sleep(time.Second)
				return true, nil
			},
		}))
	case "resumed-by-ack": // an offer of ours was answered in the ACK
		l := s.agents[args[0]]
		require.True(s.t, l.Post(call.MediaChanged{Leg: l.ID(), Held: false, At: time.Now()}))
	case "resume-and-bye": // both are there when the call looks
		l := s.agents[args[0]]
		require.True(s.t, l.Post(call.Reoffered{
			Leg: l.ID(), At: time.Now(), Refuse: func(call.Cause) {},
			Accept: func() (bool, error) { l.End(call.Far, call.CauseBye); return false, nil },
		}))
	case "offers": // as those who watch see them now
		live := s.x.Live()
		require.Len(s.t, live, 1)
		require.Equal(s.t, args[0], fmt.Sprint(len(live[0].Record.Offers)))
		require.NotNil(s.t, live[0].Record.PromiseClock)
	case "expect": // expect caller hears please-wait
		require.Equal(s.t, strings.Join(args[2:], " "), s.caller.Stream().Playing())
	case "joined":
		require.Equal(s.t, args[0], fmt.Sprint(s.bridge.Joined()))
	case "drain":
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		require.Equal(s.t, 1, s.x.Drain(ctx))
	default:
		require.True(s.t, s.audioAct(what, args), "no such act: %s", what)
	}
}

func (s *stage) dial(kind, name string) {
	s.caller = calltest.NewLeg("caller")
	at := call.Next{Kind: call.Route}
	if kind == "menu" || kind == "shed" {
		at.Menu = name
	} else {
		at.Queue = name
	}
	go func() {
		defer close(s.done)
		s.x.Serve(context.Background(), call.Incoming{
			Leg: s.caller, At: at, From: "13912345678", To: "96777", Trunk: "city", Received: time.Now(),
			Shed: kind == "shed",
		})
	}()
}

func (s *stage) seat() *calltest.Seat {
	seats := s.desk.Seats()
	require.NotEmpty(s.t, seats, "nobody is in a queue")
	return seats[len(seats)-1]
}

// tell is what came of the call, times in seconds from the script's beginning.
func (s *stage) tell() string {
	r := s.records.finished(s.t)
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("end %s %s, released by %s", r.Result, r.Reason, r.Release)
	p("way %q queue %q agent %q", r.MenuPath, r.Queue, r.Agent)
	p("accepted %s joined %s ended %s", s.sec(r.Accepted), s.sec(r.Joined), s.sec(r.Ended))
	met := func(b *bool) string {
		if b == nil {
			return "-"
		}
		return fmt.Sprint(*b)
	}
	p("rings %d met %s; wait %g talk %g hold %g met %s", r.Rings, met(r.RingsMet), r.WaitSeconds, r.TalkSeconds, r.HoldSeconds, met(r.TalkMet))
	for _, v := range r.Visits {
		p("visit %s %s..%s %s", v.Queue, s.sec(&v.Entered), s.sec(v.Left), v.How)
	}
	for _, o := range r.Offers {
		p("offer %s rung %s ended %s %s", o.Agent, s.sec(o.Rung), s.sec(o.Ended), o.How)
	}
	for _, k := range r.Talks {
		p("talk %s %s..%s joined %s released by %s, holds %d", k.Agent+k.Number, s.sec(&k.Answered), s.sec(k.Ended), s.sec(k.Joined), k.Release, len(k.Holds))
	}
	s.tellLegs(&r, p)
	p("recorded %s", s.rec.tell(s))
	p("caller heard %s", strings.Join(s.caller.Stream().Played(), " "))
	for _, id := range slices.Sorted(maps.Keys(s.agents)) {
		l := s.agents[id]
		end, over := call.EndOf(l)
		require.True(s.t, over, "agent's leg left up")
		p("leg %s ended by %s: %s", id, end.By, end.Why)
	}
	require.Zero(s.t, s.bridge.Joined(), "bridge left up")
	require.Empty(s.t, s.x.Live(), "call left behind")
	if s.panics > 0 {
		p("panics %d", s.panics)
	}
	return b.String()
}

func (s *stage) sec(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return fmt.Sprint(t.Sub(s.start).Seconds())
}

// menus asks for one key, once, as the main menu of the reference would.
type menus struct{}

func (menus) Walk(ctx context.Context, l call.Line, menu string) (call.Next, error) {
	if menu == "broken" {
		panic("a menu with a fault")
	}
	if queue, ok := strings.CutPrefix(menu, "to "); ok { // nothing is asked
		return call.Next{Kind: call.Wait, Queue: queue}, nil
	}
	if menu != "main" {
		return call.Next{}, call.ErrNoMenu
	}
	k, err := l.Ask(ctx, 6*time.Second, "welcome")
	if err != nil && !errors.Is(err, call.ErrNoKey) {
		return call.Next{}, err
	}
	switch {
	case err != nil:
		l.Chose(menu, "otherwise")
	case k == '9':
		l.Chose(menu, k.String())
		return call.Next{Kind: call.Menu, Menu: menu}, nil
	case k == '8':
		l.Chose(menu, k.String())
		return call.Next{Kind: call.Talk}, nil
	default:
		l.Chose(menu, k.String())
	}
	return call.Next{Kind: call.Wait, Queue: "repair"}, nil
}

// prompts last one second each, but for the notice (two) and the music (ten).
type prompts struct{}

func (prompts) Clip(name string) (media.Clip, error) {
	n := map[string]int{"recorded": 2, "hold-music": 10, "own-music": 10}[name]
	if name == "missing" {
		return media.Clip{}, fmt.Errorf("prompt %s: %w", name, fs.ErrNotExist)
	}
	return media.Clip{Name: name, ALaw: make([]byte, max(n, 1)*media.SampleRate)}, nil
}

func (p prompts) Digits(number string) []media.Clip {
	var clips []media.Clip
	for _, r := range number {
		c, _ := p.Clip(string(r))
		c.ALaw = c.ALaw[:media.SampleRate/4]
		clips = append(clips, c)
	}
	return clips
}

func (p prompts) Number(n int) []media.Clip { return p.Digits(strconv.Itoa(n)) }

func (p prompts) Count(n int) []media.Clip { return p.Digits(strconv.Itoa(n)) }

type recorder struct {
	mu         sync.Mutex
	from, till time.Time
	starts     int
	discards   int
}

func (r *recorder) Start(_ string, joined time.Time) (call.Recording, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.starts++
	r.from = joined
	return r, nil
}
func (r *recorder) Frame(media.Frame) {}
func (r *recorder) Name() string      { return "r.wav" }
func (r *recorder) Close(end time.Time) error {
	r.till = end
	return nil
}

func (r *recorder) Discard() error {
	r.discards++
	return nil
}

func (r *recorder) Said() (media.Clip, error) {
	return media.Clip{Name: "message", ALaw: make([]byte, 3*media.SampleRate)}, nil
}

func (r *recorder) tell(s *stage) string {
	if r.starts == 0 {
		return "nothing"
	}
	return fmt.Sprintf("%s..%s in %d", s.sec(&r.from), s.sec(&r.till), r.starts)
}

type records struct {
	mu            sync.Mutex
	begun         int
	last          []call.Record
	afterFinished int
}

func (r *records) Begin(call.Record) { r.mu.Lock(); defer r.mu.Unlock(); r.begun++ }
func (r *records) Update(call.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.last) > 0 {
		r.afterFinished++
	}
}

func (r *records) Finish(_ context.Context, rec call.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = append(r.last, rec)
	return nil
}

func (r *records) Annotate(id, agent string, code call.WrapUpCode) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.last {
		if r.last[i].ID == id {
			r.last[i].Annotate(agent, code)
		}
	}
}

func (r *records) finished(t *testing.T) call.Record {
	t.Helper()
	require.Equal(t, 1, r.begun, "begun once")
	require.Len(t, r.last, 1, "finished exactly once")
	require.Zero(t, r.afterFinished, "nothing written after the end")
	return r.last[0]
}
