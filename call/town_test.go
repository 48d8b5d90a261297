package call_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
)

// TestTransfers runs the cases in testdata/transfers: scripts of several calls, with their agents and a
// number outside. A leg is named PARTY@CALL, the caller's is caller@CALL. Each line is a time and a doing:
//
//	call CALL NUMBER|by=AGENT TARGET           TARGET is queue:NAME, menu:NAME, agent:ID, first:QUEUE/AGENT or number:NUMBER, nowhere
//	ring CALL AGENT    answer CALL AGENT       the newest seat of the call; agents' phones
//	fail CALL CAUSE                            the one try at an agent
//	rings | answers LEG | fails CAUSE          the number outside called last
//	refer NAME LEG TARGET [replaces=LEG]       what that phone is told stands in the end under NAME
//	hold LEG | resume LEG | end LEG CAUSE      bye is a hanging up
//	hears LEG [PROMPT] | joined N
//
// Doings parted by a semicolon are done in the same instant, with the calls' owners in between.
func TestTransfers(t *testing.T) {
	playCases(t, "transfers", func(t *testing.T, script string) string {
		t.Helper()
		return newTown(t).play(script)
	})
}

// playCases plays the script of each case of a folder in testdata, in a bubble, and compares what it says in the end.
func playCases(t *testing.T, folder string, play func(t *testing.T, script string) string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txtar"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			require.NoError(t, err)
			require.Len(t, a.Files, 2, "a case has the files script and want")
			var got string
			synctest.Test(t, func(t *testing.T) { got = play(t, string(a.Files[0].Data)) })
			if *update {
				a.Files[1].Data = []byte(got)
				require.NoError(t, os.WriteFile(file, txtar.Format(a), 0o600))
			}
			require.Equal(t, string(a.Files[1].Data), got)
		})
	}
}

// town is an exchange with several calls at once.
type town struct {
	*stage
	dialer    *calltest.Dialer
	tapes     tapes
	books     books
	names     []string // of calls, in order
	legs      map[string]*calltest.Leg
	legNames  []string
	referrals []string
	told      map[string]*calltest.Referral
	second    *calltest.Referral                    // of a phone that asked on another goroutine
	also      func(what string, args []string) bool // does what no other doing is; nil: nothing more
	wg        sync.WaitGroup
}

func newTown(t *testing.T) *town {
	t.Helper()
	w := &town{
		stage: newStage(t), dialer: &calltest.Dialer{}, legs: map[string]*calltest.Leg{},
		told: map[string]*calltest.Referral{},
	}
	w.x.Dialer, w.x.Recorder, w.x.Records = w.dialer, &w.tapes, &w.books
	return w
}

func (w *town) play(script string) string {
	for sc := bufio.NewScanner(strings.NewReader(script)); sc.Scan(); {
		when, doings, ok := strings.Cut(strings.TrimSpace(sc.Text()), " ")
		if !ok || when == "#" {
			continue
		}
		at, err := time.ParseDuration(when)
		require.NoError(w.t, err)
		<-time.After(at - time.Since(w.start))
		synctest.Wait()
		w.line(doings)
	}
	w.wg.Wait()
	w.requireOver()
	return w.tell()
}

// requireOver: calls that nobody called for have ended too.
func (w *town) requireOver() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	require.Zero(w.t, w.x.Drain(ctx))
}

// line does what is done in one instant.
func (w *town) line(doings string) {
	for doing := range strings.SplitSeq(doings, ";") {
		f := strings.Fields(doing)
		w.do(f[0], f[1:])
		synctest.Wait()
	}
}

func (w *town) do(what string, args []string) {
	switch what {
	case "call":
		w.call(args[0], args[1], args[2])
	case "ring":
		w.seatOf(args[0]).Ring(args[1])
	case "answer":
		require.True(w.t, w.seatOf(args[0]).Answer(args[1], w.leg(args[1]+"@"+args[0])))
	case "fail":
		require.True(w.t, w.seatOf(args[0]).Fail(call.Cause(args[1])))
	case "rings":
		w.dialer.Ring()
	case "answers":
		require.True(w.t, w.dialer.Answer(w.leg(args[0])))
	case "fails":
		require.True(w.t, w.dialer.Fail(call.Cause(args[0])))
	case "refer":
		w.refer(args)
	case "hold", "resume":
		require.True(w.t, <-w.legs[args[0]].Reoffer(what == "hold"))
	case "end":
		w.legs[args[0]].End(call.Far, call.Cause(args[1]))
	case "hears":
		require.Equal(w.t, strings.Join(args[1:], " "), w.legs[args[0]].Stream().Playing())
	case "joined":
		require.Equal(w.t, args[0], fmt.Sprint(w.bridge.Joined()))
	default:
		if w.also == nil || !w.also(what, args) {
			w.t.Fatalf("no such doing: %s", what)
		}
	}
}

func (w *town) leg(name string) *calltest.Leg {
	l := calltest.NewLeg(name)
	w.legs[name] = l
	w.legNames = append(w.legNames, name)
	return l
}

func (w *town) call(name, from, target string) {
	in := call.Incoming{Leg: w.leg("caller@" + name), At: nextOf(target), To: "96777", Received: time.Now()}
	if agent, ok := strings.CutPrefix(from, "by="); ok {
		in.Agent, in.From, in.To = agent, agent, target[strings.Index(target, ":")+1:]
	} else {
		in.Trunk, in.From = "city", from
	}
	w.names = append(w.names, name)
	w.wg.Go(func() { w.x.Serve(context.Background(), in) })
}

// nextOf is where a target leads, as package sip would say it.
func nextOf(target string) call.Next {
	kind, name, _ := strings.Cut(target, ":")
	switch kind {
	case "agent":
		return call.Next{Kind: call.Wait, Agent: name, Once: true}
	case "number":
		return call.Next{Kind: call.Dial, Number: name}
	case "menu":
		return call.Next{Kind: call.Route, Menu: name}
	case "nowhere":
		return call.Next{}
	case "first":
		queue, agent, _ := strings.Cut(name, "/")
		next := call.First(queue, agent)
		next.Kind = call.Route
		return next
	default:
		return call.Next{Kind: call.Wait, Queue: name}
	}
}

func (w *town) refer(args []string) {
	var replaces call.LegID
	if len(args) > 3 {
		replaces = w.legs[strings.TrimPrefix(args[3], "replaces=")].ID()
	}
	w.referrals = append(w.referrals, args[0])
	w.told[args[0]] = w.legs[args[1]].Refer(nextOf(args[2]), replaces)
}

func (w *town) id(name string) string { return w.legs["caller@"+name].Call() }

func (w *town) nameOf(id string) string {
	i := slices.IndexFunc(w.names, func(n string) bool { return w.id(n) == id })
	require.GreaterOrEqual(w.t, i, 0)
	return w.names[i]
}

func (w *town) seatOf(name string) *calltest.Seat {
	for _, s := range slices.Backward(w.desk.Seats()) {
		if s.Ticket.CallID == w.id(name) {
			return s
		}
	}
	w.t.Fatalf("%s waits for nobody", name)
	return nil
}

// tell is what came of the calls, times in seconds from the script's beginning.
func (w *town) tell() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	for _, name := range w.names {
		w.tellCall(p, name, w.books.finished(w.t, w.id(name)))
	}
	for _, name := range w.referrals {
		p("refer %s: %s", name, strings.Join(w.told[name].Told(), ", "))
	}
	for _, m := range w.desk.Moves() {
		p("moved %s %s to %s queue %q", m.Agent, m.Leg, w.nameOf(m.Call), m.Queue)
	}
	for _, r := range w.dialer.Asked() {
		p("dialled %s by %s for %s", r.Number, r.Agent, w.nameOf(r.CallID))
	}
	for _, name := range w.legNames {
		end, over := call.EndOf(w.legs[name])
		require.True(w.t, over, "leg %s left up", name)
		require.False(w.t, w.legs[name].Post(call.KeyPressed{}), "leg %s left with an owner", name)
		p("leg %s ended by %s: %s; heard %s", name, end.By, end.Why, strings.Join(w.legs[name].Stream().Played(), " "))
	}
	w.requireRest()
	return b.String()
}

// requireRest: nothing of any call is left.
func (w *town) requireRest() {
	w.t.Helper()
	require.Zero(w.t, w.bridge.Joined(), "bridge left up")
	require.Empty(w.t, w.x.Live(), "call left behind")
	require.Zero(w.t, w.panics)
	require.Zero(w.t, call.Owners(w.x), "a leg has an owner on the books")
}

func (w *town) tellCall(p func(string, ...any), name string, r call.Record) {
	p("call %s: %s %s, released by %s, queue %q agent %q", name, r.Result, r.Reason, r.Release, r.Queue, r.Agent)
	met := func(b *bool) string {
		if b == nil {
			return "-"
		}
		return fmt.Sprint(*b)
	}
	p("  accepted %s joined %s ended %s; rings %d met %s; wait %g talk %g hold %g met %s", w.sec(r.Accepted), w.sec(r.Joined),
		w.sec(r.Ended), r.Rings, met(r.RingsMet), r.WaitSeconds, r.TalkSeconds, r.HoldSeconds, met(r.TalkMet))
	for _, v := range r.Visits {
		p("  visit %s %s..%s %s", v.Queue, w.sec(&v.Entered), w.sec(v.Left), v.How)
	}
	for _, o := range r.Offers {
		p("  offer %s %q rung %s ended %s %s", o.Agent, o.Queue, w.sec(o.Rung), w.sec(o.Ended), o.How)
	}
	for _, k := range r.Talks {
		holds := ""
		for _, h := range k.Holds {
			holds += fmt.Sprintf(" %s-%s", w.sec(&h.From), w.sec(h.To))
		}
		p("  talk %s%s %q %s..%s joined %s released by %s holds%s", k.Agent, k.Number, k.Queue, w.sec(&k.Answered),
			w.sec(k.Ended), w.sec(k.Joined), k.Release, holds)
	}
	if r.Kind != "" {
		p("  %s of %s", r.Kind, w.nameOf(r.Origin))
	}
	for _, k := range r.Supervisions {
		p("  supervised by %s %s %s..%s", k.By, k.Mode, w.sec(&k.From), w.sec(k.To))
	}
	for _, k := range r.Transfers {
		p("  transfer %s by %s to %s %s..%s %s", k.Kind, k.By, k.To, w.sec(&k.At), w.sec(k.Ended), k.How)
	}
	p("  recorded %s, unrecorded %q, notice heard %t", w.tapes.tell(w.stage, r.ID), r.Unrecorded, r.NoticeHeard)
}
