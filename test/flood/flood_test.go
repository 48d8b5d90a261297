//go:build linux

package flood

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

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
	// meanwhile is required while it lasts; nil: nothing more than always.
	meanwhile func(w *town)
}

// quiet is no attack: what all others are held against.
func quiet(ctx context.Context, _ *town) (tally, error) {
	<-ctx.Done()
	return tally{}, nil
}

// attacks are all of them. Whom an attack bans is banned in those that follow.
func attacks() []attack {
	sip := func(w *town) string { return w.h.SIP }
	return []attack{
		{name: "none", run: quiet, meanwhile: (*town).opens},
		{name: "svmap", run: vicious("svmap")},
		{name: "svwar, REGISTER", run: vicious("svwar", "--force", "--maximumtime=600", "-e1000-99999", "-m", "REGISTER")},
		{name: "svwar, INVITE", run: vicious("svwar", "--force", "--maximumtime=600", "-e1000-99999", "-m", "INVITE")},
		{name: "svcrack", run: vicious("svcrack", "-u8001", "-r100000-999999")},
		{name: "INVITEs of one host", run: flood(1, inviteText)},
		{name: "INVITEs of 4,000 hosts", run: flood(manyHosts, inviteText)},
		{name: "REGISTERs of one host", run: flood(1, registerText, inventedText)},
		{name: "REGISTERs of 4,000 hosts", run: flood(manyHosts, registerText, inventedText)},
		{name: "guesses of 200 hosts", run: guess},
		{name: "unfinished TCP", run: unfinished(sip, sipBeginning), meanwhile: (*town).opens},
		{name: "unfinished TLS", run: unfinished(func(w *town) string { return w.h.TLS }, tlsBeginning), meanwhile: (*town).opens},
		{name: "unfinished WebSockets", run: unfinished(func(w *town) string { return w.h.WS }, wsBeginning), meanwhile: (*town).opens},
		{name: "scanners by TCP", run: scanners, meanwhile: (*town).opens},
		{name: "noise by UDP", run: noise},
		{name: "noise by TCP", run: noisyConns, meanwhile: (*town).opens},
		{name: "in others' names", run: forged},
	}
}

// course is what became of an attack.
type course struct {
	attack              attack
	tally               tally
	heard               heard
	setUps              sim.FloodFigures
	before, most, after state
	lasted              time.Duration
}

// lookEvery is how often the hotline's metrics are read meanwhile.
const lookEvery = 500 * time.Millisecond

// suffer has an attack go on for a time, beside the trunk's calls, and sees what it did. patience is how long the hotline may
// take to be as before again.
func (w *town) suffer(a attack, before state, lasts, patience time.Duration) course {
	w.t.Helper()
	c := course{attack: a, before: w.look(), lasted: lasts}
	c.most = c.before
	w.studio.take()
	ctx, cancel := context.WithTimeout(w.t.Context(), lasts)
	defer cancel()
	attacked, called := make(chan error, 1), make(chan error, 1)
	go func() {
		var err error
		c.tally, err = a.run(ctx, w)
		attacked <- err
	}()
	go func() {
		var err error
		c.setUps, err = w.setUps(lasts)
		called <- err
	}()
	w.watch(ctx, &c)
	require.NoError(w.t, <-attacked, a.name)
	over := time.Now()
	require.NoError(w.t, <-called, a.name)
	w.studio.await(w.t, a.name+": everybody to hear everybody still", over)
	c.heard = w.studio.take()
	w.undisturbed()
	w.recovers(&c, before, patience)
	return c
}

// watch looks at the hotline until ctx is done.
func (w *town) watch(ctx context.Context, c *course) {
	w.t.Helper()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for looks := 0; ; looks++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		c.most = c.most.most(w.look())
		if looks == 1 && c.attack.meanwhile != nil {
			c.attack.meanwhile(w)
		}
	}
}

// recovers waits until the hotline has no more than before all attacks.
func (w *town) recovers(c *course, before state, patience time.Duration) {
	w.t.Helper()
	defer func() {
		if w.t.Failed() {
			w.t.Log(c.String())
		}
	}()
	testkit.Within(w.t, patience, c.attack.name+": memory, descriptors and goroutines to be as before", func() bool {
		c.after = w.look()
		return before.resident == 0 || c.after.returned(before)
	})
}

// tableHead and String are a table of Markdown.
const tableHead = "| attack | sent | answers or connections | dropped | calls set up, failed | set-up p50, most | gap (with the sender's own), lost of heard |" +
	" CPU | memory before, most, after | descriptors | goroutines |\n|---|---|---|---|---|---|---|---|---|---|---|\n"

func (c *course) String() string {
	mib := func(f func(state) float64) string {
		return fmt.Sprintf("%.0f, %.0f, %.0f", f(c.before), f(c.most), f(c.after))
	}
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }
	return fmt.Sprintf("| %s | %d | %d | %s | %d, %d | %s, %s | %s (%s), %d of %d | %.0f %% | %s MiB | %s | %s |",
		c.attack.name, c.tally.sent, c.tally.answered, c.drops(), len(c.setUps.Setup), c.setUps.Failed(),
		ms(c.setUps.Quantile(0.5)), ms(c.setUps.Quantile(1)), ms(c.heard.gap), ms(c.heard.raw), c.heard.lost, c.heard.packets+c.heard.lost,
		100*(c.most.cpu-c.before.cpu)/c.lasted.Seconds(),
		mib(func(s state) float64 { return s.resident / (1 << 20) }), mib(func(s state) float64 { return s.descriptors }),
		mib(func(s state) float64 { return s.goroutines }))
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

// siege has all attacks go on, one after another, and requires that no call was disturbed by any.
func (w *town) siege(lasts, patience, gap time.Duration) (table string) {
	w.t.Helper()
	var before state
	var b strings.Builder
	b.WriteString(tableHead)
	defer func() { w.t.Log("\n" + b.String()) }()
	for _, a := range attacks() {
		c := w.suffer(a, before, lasts, patience)
		if before.resident == 0 {
			before = c.after
		}
		b.WriteString(c.String() + "\n")
		require.Zero(w.t, c.setUps.Failed(), "%s: calls of the trunk that were not set up: %v", a.name, c.setUps.Statuses)
		require.Positive(w.t, c.setUps.Completed)
		require.Positive(w.t, c.heard.packets)
		require.LessOrEqual(w.t, c.heard.gap, gap, "%s: a gap in what somebody heard", a.name)
		if a.name != attacks()[0].name {
			require.Positive(w.t, c.tally.sent, "%s: nothing was sent", a.name)
		}
	}
	w.innocent()
	return b.String()
}

// innocent requires that others were banned, and nobody who has business here: the agents register anew, and the trunk calls.
func (w *town) innocent() {
	w.t.Helper()
	bans := string(w.h.Get("/api/v1/bans"))
	require.Contains(w.t, bans, `"why":"login"`, "who guessed is banned")
	require.Contains(w.t, bans, `"why":"scanner"`, "who said over TCP that he scans is banned")
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
	for _, live := range w.calls {
		live.Hangup()
	}
}

// last is the end of a text.
func last(s string, n int) string {
	return s[max(0, len(s)-n):]
}

// TestFlood: each attack for two seconds.
func TestFlood(t *testing.T) {
	testkit.Require(t, "svmap", "svwar", "svcrack")
	w := openTown(t, "")
	w.slots = 300
	w.siege(2*time.Second, 2*time.Minute, 500*time.Millisecond)
}
