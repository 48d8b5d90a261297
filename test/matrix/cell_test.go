package matrix

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// row is one kind of message on its way, in a call in which it passes for sure.
type row struct {
	scenario scenario
	side     party
	way      testkit.Way // empty: both
	kind     testkit.Kind
}

func (r row) String() string {
	kind, way := string(r.kind), string(r.way)
	if kind == "" {
		kind = "everything"
	}
	if way == "" {
		way = "both ways"
	}
	return fmt.Sprintf("%s, %s's side, %s, %s", r.scenario.name, r.side, way, kind)
}

// column is what happens to that message.
type column struct {
	name string
	rule func(w *town) testkit.Rule
}

// witness is a test that remembers what went wrong first, for the table.
type witness struct {
	*testing.T
	wrong string
}

// Errorf implements testing.TB.
func (w *witness) Errorf(format string, args ...any) {
	w.Helper()
	w.note(fmt.Sprintf(format, args...))
	w.T.Errorf(format, args...)
}

// Fatalf implements testing.TB.
func (w *witness) Fatalf(format string, args ...any) {
	w.Helper()
	w.note(fmt.Sprintf(format, args...))
	w.T.Fatalf(format, args...)
}

// note keeps the first complaint, on one line: of testify's several, the one that tells.
func (w *witness) note(text string) {
	if w.wrong != "" {
		return
	}
	if _, after, ok := strings.Cut(text, "Error:"); ok {
		text = after
	}
	w.wrong = strings.Join(strings.Fields(text), " ")
}

// patience is how long a cell waits for something: what is lost is tried for 64·T1 at most.
func (p *play) patience() time.Duration { return 64*p.town.t1 + testkit.Patience }

// run plays a cell, and tells what went wrong, empty if nothing did.
func run(t *testing.T, w *town, r row, c column, rule testkit.Rule, tell func(wrong string)) {
	t.Helper()
	v := &witness{T: t}
	t.Cleanup(func() { tell(v.wrong) })
	var l lane
	select {
	case l = <-w.free:
	default:
		v.Fatalf("no lane left: too many cells went wrong")
	}
	p := &play{t: v, town: w, lane: l, number: w.caller(), began: time.Now()}
	p.lossy = r.kind == "" || strings.HasSuffix(string(r.kind), "NOTIFY") && c.name != first.name
	relays := make(map[party]*testkit.Relay)
	t.Cleanup(func() {
		if !t.Failed() {
			w.free <- l
			return
		}
		for who, relay := range relays {
			t.Logf("--- what passed on %s's side (%s):\n%s", who, relay.Outer(), relay.Story())
		}
	})
	start := func(who party, user, from string) *testkit.Phone {
		relays[who] = testkit.StartRelay(v, w.h.SIP, from)
		o := r.scenario.phones
		o.User, o.Password, o.Hotline, o.Relay, o.T1 = user, "secret"+user, w.h.SIP, relays[who], w.t1
		return testkit.StartPhone(v, o)
	}
	p.caller = start(caller, p.number, city)
	p.agent, p.colleague = start(agent, l.agent, office), start(colleague, l.colleague, office)
	if r.scenario.outward {
		p.outside = start(outside, l.outside, l.carrier)
	}
	for _, phone := range []*testkit.Phone{p.agent, p.colleague} {
		phone.Register()
	}
	p.ready()
	for _, relay := range relays {
		relay.Obey()
	}
	rule.Way, rule.Kind = r.way, r.kind
	relays[r.side].Obey(rule)
	p.over(r.scenario.play(p))
	require.Positive(v, relays[r.side].Hits(), "the rule made no difference")
	for _, relay := range relays {
		relay.Obey()
	}
	p.agent.Unregister()
	p.colleague.Unregister()
}

// ready waits until the lane's agents are.
func (p *play) ready() {
	p.t.Helper()
	for _, id := range []string{p.lane.agent, p.lane.colleague} {
		state := ""
		testkit.Within(p.t, p.patience(), "agent "+id+" to be ready", func() bool {
			state = p.town.state(p.t, id)
			return state == "ready"
		})
	}
}

// over waits until all is over on every side, and holds the records against what must have become of the
// calls.
func (p *play) over(wanted []outcome) {
	p.t.Helper()
	for who, phone := range map[party]*testkit.Phone{caller: p.caller, agent: p.agent, colleague: p.colleague, outside: p.outside} {
		if phone != nil {
			p.idle(who, phone)
		}
	}
	for _, want := range wanted {
		testkit.Within(p.t, p.patience(), "the record", func() bool {
			records := p.records(want.from)
			return len(records) > 0 && testkit.Finished(records[0])
		})
	}
	p.ready()
	for _, want := range wanted {
		p.recorded(want)
	}
}

// idle wants a phone on which nothing goes on any more, soon.
func (p *play) idle(who party, phone *testkit.Phone) {
	p.t.Helper()
	var still []string
	deadline := time.Now().Add(p.patience())
	testkit.Within(p.t, 2*p.patience(), string(who)+"'s phone to be idle", func() bool {
		still = phone.Unsettled()
		return len(still) == 0 || time.Now().After(deadline)
	})
	require.Empty(p.t, still, "%s's phone is not idle", who)
	require.Zero(p.t, phone.Rings(), "%s's phone rings on", who)
}

// recorded wants one record of a call, which is right.
func (p *play) recorded(want outcome) {
	p.t.Helper()
	records := p.records(want.from)
	require.Len(p.t, records, 1, "records of one call")
	r := records[0]
	var parties []string
	for _, talk := range r.Talks {
		require.NotNil(p.t, talk.Ended, "a talk without an end")
		parties = append(parties, talk.Agent+talk.Number)
	}
	require.Equal(p.t, want, outcome{r.From, r.Result, r.Reason, r.Release, parties})
	for _, o := range r.Offers {
		require.NotNil(p.t, o.Ended, "an offer without an end")
	}
}
