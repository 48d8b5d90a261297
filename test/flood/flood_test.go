//go:build linux

package flood

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
	"hotline/sim"
)

// The hosts of attacks: the first manyHosts of mobHost are those of floods, then those of sipvicious, and from scannerHosts on
// each connection of a scanner has one of its own.
const (
	manyHosts    = 4000
	scannerHosts = 10_000
)

// attack is what strangers do for a time. run returns when ctx is done.
type attack struct {
	name string
	run  func(ctx context.Context, w *town) (tally, error)
	// drops is why the hotline must have dropped something of it; empty: some attacks it answers.
	drops string
	// deaf: nothing comes back, or nobody counts it. Of all others something must have been answered, or connected.
	deaf bool
	// holds: the hotline must have had its connections open, and none for longer than a message may take to come.
	holds bool
	// answers and connections are how many of either the hotline may have had for it in a time; nil: any.
	answers, connections func(time.Duration) int
	// bounded: the hotline may have had no more meanwhile than when idle, but for what calls come and go by, and a goroutine for
	// each message that it let in at once: they wait where the machine is slow.
	bounded bool
	// meanwhile is required once, while it lasts; nil: nothing more than always.
	meanwhile func(w *town)
	// afterwards is required when it is over; nil: nothing more than always.
	afterwards func(w *town)
}

// quiet is no attack: what all others are held against.
func quiet(ctx context.Context, _ *town) (tally, error) {
	<-ctx.Done()
	return tally{}, nil
}

// attacks are all of them. Whom an attack bans is banned in those that follow. What leaves transactions for 64·T1 is at the
// beginning, so that it is over at the end.
func (w *town) attacks() []attack {
	sip := plainly(func(w *town) string { return w.h.SIP })
	opened := atMost(allConnections, rated(allConnects, allConnectsAtOnce))
	all := []attack{
		{name: "none", run: quiet, meanwhile: (*town).opens, deaf: true},
		{name: "in others' names", run: forged},
		{name: "requests in a trunk's name", run: claimed, drops: "known-rate"},
		{name: "svmap", run: vicious("svmap"), drops: "scanner", deaf: true},
		{name: "svwar, REGISTER", run: vicious("svwar", "--force", "--maximumtime=600", "-e1000-99999", "-m", "REGISTER"), drops: "scanner", deaf: true},
		{name: "svwar, INVITE", run: vicious("svwar", "--force", "--maximumtime=600", "-e1000-99999", "-m", "INVITE"), drops: "scanner", deaf: true},
		{name: "svcrack", run: vicious("svcrack", "-m", "REGISTER", "-u8001", "-r100000-999999"), drops: "scanner", deaf: true},
		{name: "INVITEs of one host", run: flood(1, inviteText), drops: "invite-rate", answers: rated(hostInvites, hostInvitesAtOnce)},
		{name: "INVITEs of 4,000 hosts", run: flood(manyHosts, inviteText), drops: "invite-rate", answers: rated(allInvites, allInvitesAtOnce)},
		{
			name: "REGISTERs of one host", run: flood(1, registerText, inventedText), drops: "host-rate",
			answers: rated(hostRequests, hostRequestsAtOnce),
		},
		{
			name: "REGISTERs of 4,000 hosts", run: flood(manyHosts, registerText, inventedText),
			answers: rated(allRequests, allRequestsAtOnce),
		},
		{
			name: "OPTIONS and INVITEs, each of another host", run: scan, drops: "stranger-rate", answers: rated(allRequests, allRequestsAtOnce),
			bounded: true, meanwhile: (*town).registersByTCP, afterwards: (*town).registersByUDP,
		},
		{name: "guesses of 40 hosts", run: guess, drops: "banned"},
		{name: "unfinished TCP", run: unfinished(sip, sipBeginning), meanwhile: (*town).opens, holds: true, connections: opened},
		{
			name: "unfinished TLS", run: unfinished(plainly(func(w *town) string { return w.h.TLS }), tlsBeginning), meanwhile: (*town).opens,
			drops: "handshake", holds: true, connections: opened,
		},
		{
			name: "unfinished WebSockets", run: unfinished(plainly(func(w *town) string { return w.h.WS }), wsBeginning), meanwhile: (*town).opens,
			drops: "handshake", holds: true, connections: opened,
		},
		{
			name: "unfinished WebSockets over TLS", run: unfinished(securely, wsBeginning), meanwhile: (*town).opens,
			drops: "handshake", holds: true, connections: opened,
		},
		{name: "silent WebSockets over TLS", run: unfinished(upgraded, ""), meanwhile: (*town).opens, holds: true, connections: opened},
		{name: "hellos of TLS in one instant", run: hellos, meanwhile: (*town).opens, drops: "handshake", holds: true, connections: opened},
		{name: "scanners by TCP", run: scanners, meanwhile: (*town).opens, drops: "scanner"},
		{name: "noise by UDP", run: noise, drops: "not-sip", deaf: true},
		{name: "noise by TCP", run: noisyConns, meanwhile: (*town).opens, drops: "no-via"},
	}
	if w.foreign.IsValid() {
		all = append(all, attacks6()...)
	}
	return all
}

// course is what became of an attack.
type course struct {
	attack              attack
	tally               tally
	heard               heard
	setUps              sim.FloodFigures
	before, most, after state
	lasted              time.Duration // until it was last looked at
	attacked            time.Duration // until the attackers had ended
}

// lookEvery is how often the hotline's metrics are read meanwhile.
const lookEvery = 500 * time.Millisecond

// errOver: what was watched meanwhile was not under attack.
var errOver = errors.New("the attack has ended before its time")

// suffer has an attack go on for a time, beside the trunk's calls, and sees what it did.
func (w *town) suffer(a attack, lasts time.Duration) course {
	w.t.Helper()
	c := course{attack: a, before: w.look()}
	c.most = c.before
	w.studio.take()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	attacked, called := make(chan error, 1), make(chan error, 1)
	began := time.Now()
	go func() {
		var err error
		if c.tally, err = a.run(ctx, w); err == nil && ctx.Err() == nil {
			err = errOver
		}
		attacked <- err
	}()
	go func() {
		var err error
		c.setUps, err = w.setUps(lasts)
		called <- err
	}()
	w.watch(lasts, &c)
	c.lasted = time.Since(began)
	cancel()
	require.NoError(w.t, <-attacked, a.name)
	c.attacked = time.Since(began)
	over := time.Now()
	require.NoError(w.t, <-called, a.name)
	if a.afterwards != nil {
		a.afterwards(w)
	}
	w.studio.await(w.t, a.name+": everybody to hear everybody still", over)
	c.heard = w.studio.take()
	w.undisturbed()
	c.after = w.look()
	return c
}

// watch looks at the hotline until the attack has lasted long enough, and what is required meanwhile was: on a machine on which
// that comes late the attack lasts longer.
func (w *town) watch(lasts time.Duration, c *course) {
	w.t.Helper()
	tick, over := time.NewTicker(lookEvery), time.NewTimer(lasts)
	defer tick.Stop()
	defer over.Stop()
	meanwhile := c.attack.meanwhile
	for looks, last := 1, false; !last; looks++ {
		select {
		case <-over.C:
			last = true
		case <-tick.C:
		}
		c.most = c.most.most(w.look())
		if meanwhile != nil && (looks == 2 || last) {
			meanwhile(w)
			meanwhile = nil
		}
	}
}

// tableHead and String are a table of Markdown.
const tableHead = "| attack | sent | answers or connections | dropped | calls set up, failed, requests sent again | set-up p50, most | gap (with the sender's own), lost of heard |" +
	" CPU | memory before, most, after | in use before, most, after | descriptors | goroutines |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n"

func (c *course) String() string {
	three := func(f func(state) float64) string {
		return fmt.Sprintf("%.0f, %.0f, %.0f", f(c.before), f(c.most), f(c.after))
	}
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }
	return fmt.Sprintf("| %s | %d | %d | %s | %d, %d, %d | %s, %s | %s (%s), %d of %d | %.0f %% | %s MiB | %s MiB | %s | %s |",
		c.attack.name, c.tally.sent, c.tally.answered, c.drops(), len(c.setUps.Setup), c.setUps.Failed(), c.setUps.Resent,
		ms(c.setUps.Quantile(0.5)), ms(c.setUps.Quantile(1)), ms(c.heard.gap), ms(c.heard.raw), c.heard.lost, c.heard.packets+c.heard.lost,
		100*(c.most.cpu-c.before.cpu)/c.lasted.Seconds(),
		three(func(s state) float64 { return s.resident / (1 << 20) }), three(func(s state) float64 { return s.live / (1 << 20) }),
		three(func(s state) float64 { return s.descriptors }), three(func(s state) float64 { return s.goroutines }))
}

// drops are what was dropped, by reason.
func (c *course) drops() string {
	var out []string
	for _, why := range slices.Sorted(maps.Keys(c.after.dropped)) {
		if n := c.after.dropped[why] - c.before.dropped[why]; n > 0 {
			out = append(out, fmt.Sprintf("%.0f %s", n, why))
		}
	}
	return strings.Join(out, ", ")
}

// bounds are what an attack may do to calls.
type bounds struct {
	gap   time.Duration // the longest that somebody may hear nothing
	setUp time.Duration // the longest from INVITE to 200; 0: any
}

// firstMessage is how long a connection may take for its first message, and patience how much later than that its end may come
// on a machine that is busy.
const (
	firstMessage = 10 * time.Second
	patience     = 10 * time.Second
)

// resentAfter is T1, after which an INVITE that was lost is sent again (RFC 3261 section 17.1.1.2): a call whose set-up takes
// longer was disturbed, though it came to be.
const resentAfter = 500 * time.Millisecond

// siege has all attacks go on, one after another, each for a time, and asserts that no call was disturbed by any beyond the
// bounds. After each, or after all, the hotline has no more than before, once it has settled.
func (w *town) siege(lasts time.Duration, within bounds, afterEach bool) (table string) {
	w.t.Helper()
	const settled = 5 * time.Minute // in which what waits for 64·T1 is over, and garbage collected
	var b strings.Builder
	b.WriteString(tableHead)
	defer func() { w.t.Log("\n" + b.String()) }()
	var before state
	for i, a := range w.attacks() {
		c := w.suffer(a, lasts)
		switch {
		case i == 0:
			before = w.settles(a.name, nil, settled)
			c.after = before
		case afterEach:
			c.after = w.settles(a.name, &before, settled)
		}
		b.WriteString(c.String() + "\n")
		w.endured(&c, within)
		if i > 0 {
			assert.Positive(w.t, c.tally.sent, "%s: nothing was sent", a.name)
		}
	}
	w.innocent()
	w.settles("all attacks", &before, settled)
	return b.String()
}

// endured asserts that an attack was one, and has disturbed nobody.
func (w *town) endured(c *course, within bounds) {
	w.t.Helper()
	name := c.attack.name
	assert.Zero(w.t, c.setUps.Failed(), "%s: calls of the trunk that were not set up: %v", name, c.setUps.Statuses)
	assert.Positive(w.t, c.setUps.Completed, name)
	assert.Positive(w.t, c.heard.packets, name)
	if why := c.attack.drops; why != "" {
		assert.Greater(w.t, c.after.dropped[why], c.before.dropped[why], "%s: nothing was dropped as %s", name, why)
	}
	if !c.attack.deaf {
		assert.Positive(w.t, c.tally.answered, "%s: nothing was answered, and no connection made", name)
	}
	if c.attack.holds {
		assert.Greater(w.t, c.most.descriptors, c.before.descriptors+fewMore, "%s: the hotline had none of its connections", name)
		assert.LessOrEqual(w.t, c.tally.longest, firstMessage+patience, "%s: a connection that lasted too long", name)
	}
	w.withinBounds(c)
	assert.LessOrEqual(w.t, c.heard.gap, within.gap, "%s: a gap in what somebody heard", name)
	if within.setUp > 0 {
		assert.LessOrEqual(w.t, c.setUps.Quantile(1), within.setUp, "%s: a call that was set up late", name)
	}
}

// withinBounds asserts that an attack had no more of the hotline than it may.
func (w *town) withinBounds(c *course) {
	w.t.Helper()
	a := &c.attack
	if a.answers != nil {
		assert.LessOrEqual(w.t, c.tally.answered, a.answers(c.attacked), "%s: more answers than one may have in %s", a.name, c.attacked)
	}
	if a.connections != nil {
		assert.LessOrEqual(w.t, c.most.descriptors, c.before.descriptors+float64(a.connections(c.attacked))+callMore,
			"%s: more connections than one may have in %s", a.name, c.attacked)
	}
	if a.bounded {
		assert.LessOrEqual(w.t, c.most.resident, c.before.resident*residentShare+residentMore+busyMore*c.before.live, "%s: octets of memory meanwhile", a.name)
		assert.LessOrEqual(w.t, c.most.live, c.before.live*residentShare+liveMore, "%s: octets in use meanwhile", a.name)
		assert.LessOrEqual(w.t, c.most.descriptors, c.before.descriptors+callMore, "%s: descriptors meanwhile", a.name)
		assert.LessOrEqual(w.t, c.most.goroutines, c.before.goroutines+callMore+allRequestsAtOnce, "%s: goroutines meanwhile", a.name)
	}
}

// callMore is what the program has more of, descriptors and goroutines each, while some calls come and go and somebody registers.
const callMore = 32

// innocent requires that others were banned, and nobody who has business here: the agents register anew, and the trunk calls.
func (w *town) innocent() {
	w.t.Helper()
	bans := string(w.h.Get("/api/v1/bans"))
	require.Positive(w.t, w.h.Metric(`hotline_sip_bans_total{why="login"}`), "who guessed was banned")
	require.Positive(w.t, w.h.Metric(`hotline_sip_bans_total{why="scanner"}`), "who said over TCP that he scans was banned")
	for _, host := range []string{setUpHost, trunkHost, officeHost} {
		require.NotContains(w.t, bans, `"`+host+`"`)
	}
	for _, a := range w.agents {
		a.Register()
	}
	caller := testkit.StartPhone(w.t, testkit.PhoneOptions{User: "13700000000", Hotline: w.h.SIP, Host: trunkHost})
	c := caller.Call(menuNumber)
	c.Await(testkit.Talking)
	c.Hangup()
}

// last is the end of a text.
func last(s string, n int) string {
	return s[max(0, len(s)-n):]
}

// TestFlood: each attack for two seconds. Garbage is collected as soon as there is as much as there is in use, and not four times
// as much as a hotline has it where nobody says: what is left of an attack is known the sooner.
func TestFlood(t *testing.T) {
	testkit.Require(t, "svmap", "svwar", "svcrack")
	t.Setenv("GOGC", "100")
	w := openTown(t, "")
	w.slots = 300
	w.scanPace = 10_000
	w.siege(2*time.Second, bounds{gap: 500 * time.Millisecond}, false)
}
