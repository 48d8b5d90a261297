//go:build linux

package flood

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
	"hotline/sim"
)

// Where everybody is. The hotline has an address of its own, so that it may have as many ports for audio as it needs.
const (
	hotlineHost = "127.77.0.1"
	setUpHost   = "127.0.0.1" // where the kernel has a socket that is bound to none send from: the calls that come and go
	trunkHost   = "127.0.0.2" // the callers
	officeHost  = "127.0.0.3" // the agents
)

const (
	liveCalls  = 20
	liveNumber = "96110"
	menuNumber = "96777"
	callRate   = 5.0                    // of the trunk's calls that come and go, per second
	callHold   = 200 * time.Millisecond // from the 200 to the BYE
	pageOrigin = "http://127.0.0.1:8000"
)

// town is a hotline with its calls.
type town struct {
	t      *testing.T
	h      *testkit.Hotline
	sip    netip.AddrPort // of the hotline's UDP and TCP
	sip6   netip.AddrPort // over IPv6
	studio *studio
	agents []*testkit.Phone
	calls  []*testkit.PhoneCall // both ends of each
	slots  int                  // connections that are begun and not finished, at once
	home   string               // of programs
	// foreign is where strangers of IPv6 are; not valid: nowhere, since nobody may have so many addresses here.
	foreign   netip.Prefix
	scanPace  int // datagrams per second of hosts without number
	newcomers int // so far
}

// openTown starts a hotline and has 20 callers of a trunk and 20 agents talk. overload is sip.overload.
func openTown(t *testing.T, overload string) *town {
	t.Helper()
	_, cert, key := testkit.Certificate(t)
	var yaml strings.Builder
	// Agents hear no tone that tells of the promise, which the 20 calls break by design: while it sounds, packets are not passed on
	// as they came.
	yaml.WriteString("targets: {talk: 24h, talk_warn: 0s}\n")
	fmt.Fprintf(&yaml, "trunks:\n  - {name: city, allow: [%s/32, %s/32], numbers: {%q: {menu: main}, %q: {queue: consult}}}\nagents:\n",
		setUpHost, trunkHost, menuNumber, liveNumber)
	for i := range liveCalls {
		fmt.Fprintf(&yaml, "  - {id: %q, password: %q, skills: {consult: 5, repair: 1, complaint: 1, gas-alarm: 1}}\n", agentID(i), passwordOf(agentID(i)))
	}
	fmt.Fprintf(&yaml, "  - {id: %q, password: %q, skills: {consult: 1}}\n", newcomerID, passwordOf(newcomerID))
	w := &town{t: t, studio: newStudio(t), home: t.TempDir()}
	var also []string
	if network, ok := testkit.LocalNetwork(t); ok {
		w.foreign, also = network, []string{"::"}
	}
	w.h = testkit.StartHotline(t, testkit.HotlineOptions{
		YAML: yaml.String(), Host: hotlineHost, MediaPorts: 2000, NoRest: true, Certificate: cert, Key: key,
		Origin: pageOrigin, Overload: overload, Also: also,
	})
	var err error
	w.sip, err = netip.ParseAddrPort(w.h.SIP)
	require.NoError(t, err)
	w.sip6 = netip.AddrPortFrom(netip.IPv6Loopback(), w.sip.Port())
	for i := range liveCalls {
		agent := testkit.StartPhone(t, testkit.PhoneOptions{
			User: agentID(i), Password: passwordOf(agentID(i)), Hotline: w.h.SIP, Host: officeHost,
		})
		agent.Register()
		w.h.AwaitAgent(agentID(i), "ready")
		w.agents = append(w.agents, agent)
		w.call(agent, "139"+strconv.Itoa(10000000+i))
	}
	w.studio.await(t, "everybody to hear everybody", time.Now())
	w.studio.take()
	return w
}

func agentID(i int) string { return strconv.Itoa(8001 + i) }

func passwordOf(agent string) string { return "not-to-be-guessed-" + agent }

// call has a caller talk to the one agent who is free.
func (w *town) call(agent *testkit.Phone, from string) {
	w.t.Helper()
	caller := testkit.StartPhone(w.t, testkit.PhoneOptions{User: from, Hotline: w.h.SIP, Host: trunkHost})
	out := caller.Call(liveNumber)
	in := agent.AwaitCall()
	in.Answer()
	out.Await(testkit.Talking)
	in.Await(testkit.Talking)
	w.studio.join(w.t, out, in)
	w.calls = append(w.calls, out, in)
}

// setUps has the trunk's calls come and go for a time.
func (w *town) setUps(lasts time.Duration) (sim.FloodFigures, error) {
	return sim.Flood(w.t.Context(), sim.FloodOptions{
		Server: w.sip, Number: menuNumber, From: "13800138000", Rate: callRate, Hold: callHold, For: lasts,
	})
}

// undisturbed requires that all calls are up still.
func (w *town) undisturbed() {
	w.t.Helper()
	for _, c := range w.calls {
		require.Empty(w.t, c.Ended(), "a call has ended")
	}
}

// state is what the program has.
type state struct {
	resident    float64 // octets of memory
	live        float64 // octets that Go found in use when it last collected garbage: heap, stacks and globals
	descriptors float64
	goroutines  float64
	cpu         float64 // seconds used so far
	collections float64 // of garbage, so far
	dropped     map[string]float64
}

// look reads the hotline's metrics.
func (w *town) look() state {
	w.t.Helper()
	s, grows := state{dropped: make(map[string]float64)}, 0.0
	into := map[string]*float64{
		"process_resident_memory_bytes": &s.resident, "process_open_fds": &s.descriptors, "go_goroutines": &s.goroutines,
		"process_cpu_seconds_total": &s.cpu, "go_gc_duration_seconds_count": &s.collections,
		"go_memstats_next_gc_bytes": &s.live, "go_gc_gogc_percent": &grows,
	}
	found := 0
	for line := range strings.Lines(string(w.h.Get("/metrics"))) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		why, dropped := strings.CutPrefix(name, "hotline_sip_dropped_total{reason=\"")
		at, wanted := into[name]
		if !wanted && !dropped {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		require.NoError(w.t, err, line)
		if wanted {
			*at = v
			found++
		} else {
			s.dropped[strings.TrimSuffix(why, "\"}")] = v
		}
	}
	require.Equal(w.t, len(into), found, "the metrics of the process")
	s.live /= 1 + grows/100 // it is collected again when there is as much more (GOGC)
	return s
}

// most has what was highest of two.
func (s state) most(o state) state {
	return state{
		resident: max(s.resident, o.resident), descriptors: max(s.descriptors, o.descriptors), goroutines: max(s.goroutines, o.goroutines),
		cpu: max(s.cpu, o.cpu), live: max(s.live, o.live),
	}
}

// The bounds of what may be left when an attack is over.
const (
	residentShare = 1.2
	residentMore  = 16 << 20
	// busyMore is what a hotline that is busy may hold more of, as a share of what was in use: it collects garbage when there is
	// four times as much, and Go keeps a tenth more than that.
	busyMore = 4 * 1.1
	liveMore = 8 << 20 // a ban book that is full has 2 of them, and who was answered is remembered for some time
	// fewMore is what the program's own doing has more at one time than at another: a call that is being set up or recorded.
	fewMore = 4
)

// idle tells whether the program has no more descriptors and goroutines than before.
func (s state) idle(before state) bool {
	return s.descriptors <= before.descriptors+fewMore && s.goroutines <= before.goroutines+fewMore
}

// small tells whether it has no more memory than before.
func (s state) small(before state) bool {
	return s.resident <= before.resident*residentShare+residentMore && s.live <= before.live*residentShare+liveMore
}

// enoughCollections of garbage, and Go's memory is as large as what is in use asks for. An idle program has one in two
// minutes; each look makes some garbage, so that those who look have not to wait for that.
const enoughCollections = 4

// settles waits until the hotline has no more descriptors and goroutines than before, and has collected its garbage; if it was
// before, also until its memory is not larger. Without a before it is what it comes to.
func (w *town) settles(what string, before *state, patience time.Duration) (s state) {
	w.t.Helper()
	first, done := w.look(), false
	defer func() {
		if !done {
			w.t.Logf("%s: descriptors %.0f, goroutines %.0f, memory %.0f MiB\n%s", what, s.descriptors, s.goroutines, s.resident/(1<<20), w.memory())
		}
	}()
	testkit.Within(w.t, patience, what+": descriptors, goroutines and memory to be as before", func() bool {
		s = w.look()
		return s.collections >= first.collections+enoughCollections && (before == nil || s.idle(*before) && s.small(*before))
	})
	done = true
	return s
}

// memory is what Go has to say of the hotline's.
func (w *town) memory() string {
	var b strings.Builder
	for line := range strings.Lines(string(w.h.Get("/metrics"))) {
		if strings.HasPrefix(line, "go_memstats_") {
			b.WriteString(line)
		}
	}
	return b.String()
}
