package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"hotline/config"
	"hotline/media"
	"hotline/sim"
)

// The alarms: how many a minute, and how long an agent lets it ring and talks.
const (
	overloadAlarms = 60.0
	overloadPickup = 300 * time.Millisecond
	overloadTalk   = 500 * time.Millisecond
)

// overloadPorts are the alarms' and agents' own.
var overloadPorts = media.PortRange{Lo: 32000, Hi: 32767}

// overloadGone is how long, after the last of the calls that count, alarms may take to be answered: more than any caller's
// patience.
const overloadGone = 3 * time.Minute

// round offers calls at a rate to a server that has just started, with alarms beside them until the last of the calls has
// begun; the alarms that are under way then are waited for.
func (b *benchOverloadCmd) round(ctx context.Context, rate float64) (line overloadLine, err error) {
	n := b.Cores
	var s *server
	undo, err := apart(n, func() (err error) {
		s, err = startProcess(ctx, "bench", "serve", overloadServer, "--cores", strconv.Itoa(n))
		return err
	})
	if s != nil {
		defer func() { err = errors.Join(err, s.stop()) }()
	}
	if err != nil {
		return line, err
	}
	defer func() { err = errors.Join(err, undo()) }()
	said, err := s.read()
	if err != nil {
		return line, err
	}
	s.addr = said.Addr
	alarms, stop, err := startAlarms(ctx, s.addr)
	if err != nil {
		return line, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if line, err = b.offer(ctx, s, rate, n); err != nil {
		return line, err
	}
	ctx, cancel := context.WithTimeout(ctx, overloadGone)
	defer cancel()
	if err := alarms.Drain(ctx); err != nil {
		return line, err
	}
	line.of(alarms.Figures(), alarms.Waits())
	return line, nil
}

// offer has calls begin at a rate: first such that do not count, until as many hang up as begin and the control has had time to
// find its rate; then, without a pause, those that count. Were there a pause, or none before, what is measured would be how a
// hotline without calls fills up, and for how long nobody has noticed that it is too much.
func (b *benchOverloadCmd) offer(ctx context.Context, s *server, rate float64, cores int) (line overloadLine, err error) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer func() {
		cancel()
		all.Wait()
	}()
	begin := func(takes time.Duration) <-chan flooded {
		o := sim.FloodOptions{Server: s.addr, Numbers: overloadNumbers, From: benchFrom, Rate: rate, For: takes, Hold: b.Hold}
		ended := make(chan flooded, 1)
		all.Go(func() {
			var f flooded
			f.figures, f.err = sim.Flood(ctx, o)
			ended <- f
		})
		return ended
	}
	before := b.Hold + b.Hold/2
	uncounted := begin(before)
	if !pause(ctx, before) {
		return line, errStopped
	}
	first, err := s.asked()
	if err != nil {
		return line, err
	}
	began, counted := time.Now(), begin(b.For)
	if !pause(ctx, b.For) {
		return line, errStopped
	}
	last, err := s.asked()
	if err != nil {
		return line, err
	}
	took := time.Since(began)
	f, u := <-counted, <-uncounted
	end, err := s.asked()
	if err = errors.Join(err, f.err, u.err); err != nil {
		return line, err
	}
	if ctx.Err() != nil {
		return line, errStopped
	}
	if full := placeless(end.Calls) - placeless(first.Calls); full > 0 {
		return line, fmt.Errorf("%d calls found no place, so that not the load was the limit: let them last less, by --hold", full)
	}
	line = lineOf(&f.figures, first, end)
	line.CPU = float64(last.CPU-first.CPU) / float64(took) / float64(cores)
	line.Audio = b.audio(end.Calls[overloadSpoken], answered(&f.figures)+answered(&u.figures))
	return line, nil
}

// audio is the share of what calls should hear, a packet every 20 ms as long as they last, that was sent to them. A hotline that
// has no time for what it has let in completes calls by saying less to each. What alarms hear beside them is little.
func (b *benchOverloadCmd) audio(packets, calls int) float64 {
	const each = 20 * time.Millisecond
	return float64(packets) / max(1, float64(calls)*float64(b.Hold)/float64(each))
}

func answered(f *sim.FloodFigures) (n int) {
	for _, statuses := range f.Statuses {
		n += statuses[200]
	}
	return n
}

// placeless are the calls so far that the server refused because its places were taken.
func placeless(calls map[string]int) (n int) {
	for outcome, many := range calls {
		if strings.HasSuffix(outcome, " full") {
			n += many
		}
	}
	return n
}

// flooded is how a flood ended.
type flooded struct {
	figures sim.FloodFigures
	err     error
}

// startAlarms has agents register who have the skill, and callers with an alarm call, until stop.
func startAlarms(ctx context.Context, server netip.AddrPort) (w *sim.World, stop func() error, err error) {
	engine, err := media.New(media.Options{Address: loopback, Ports: overloadPorts})
	if err != nil {
		return nil, nil, err
	}
	w, err = sim.New(sim.Options{ //nolint:contextcheck // Run has it
		Hotline: server, Engine: engine, PerMinute: overloadAlarms, Choices: []sim.Choice{{Number: "96119", Weight: 1}},
		Agents: overloadAgents(), Talk: overloadTalk, Pickup: overloadPickup, Patience: time.Minute,
	})
	if err != nil {
		return nil, nil, errors.Join(err, engine.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	return w, sync.OnceValue(func() error {
		cancel()
		return errors.Join(<-ended, engine.Close())
	}), nil
}

func overloadAgents() (agents []sim.Agent) {
	reference, err := config.Reference()
	if err != nil {
		return nil
	}
	for _, a := range reference.Agents {
		if a.Skills["gas-alarm"] > 0 {
			agents = append(agents, sim.Agent{ID: a.ID, Password: a.Password.Reveal()})
		}
	}
	return agents
}
