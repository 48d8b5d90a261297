package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"

	"hotline/acd"
	"hotline/calendar"
	"hotline/call"
	"hotline/config"
	"hotline/egress"
	"hotline/hep"
	"hotline/ivr"
	"hotline/media"
	"hotline/media/prompts"
	"hotline/notify"
	"hotline/observe"
	"hotline/recorder"
	"hotline/sip"
	"hotline/store/sqlstore"
	"hotline/web"
)

// app is the hotline as a value: everything wired, by wire.go alone.
type app struct {
	cfg      *config.Config
	log      *zap.Logger
	registry *prometheus.Registry
	panics   prometheus.Counter
	steps    steps
	failed   chan error  // of a part that ended by itself; it has room for all
	started  atomic.Bool // everything that serves runs
	draining atomic.Bool

	reloads   *reloadMetrics
	reloading sync.Mutex                     // guards what follows, and lets reloads come one after the other
	inForce   *config.Config                 // cfg, until it was read anew
	read      func() (*config.Config, error) // reads it anew; nil: there is nothing to read

	store     *sqlstore.Store
	recorder  *recorder.Recorder // nil when nothing is recorded
	engine    media.Engine
	prompts   *prompts.Set
	languages map[string]*prompts.Set // that menus let callers choose
	calendars map[string]*calendar.Calendar
	egress    *egress.Client
	menus     *ivr.Menus
	center    *acd.Center
	exchange  *call.Exchange
	ua        *sip.UA
	web       *web.Server
	notify    *notify.Hub
	http      net.Listener
	others    others // nodes of a hotline of several
	hep       *hep.Exporter
	watches   *observe.Hub
	observing func() // ends what the exporter is shown; nil while it is shown nothing. As inForce
}

// newApp wires and starts everything. On an error what was started is stopped again.
func newApp(cfg *config.Config, log *zap.Logger) (_ *app, err error) {
	a := &app{
		cfg: cfg, log: log, registry: prometheus.NewRegistry(), failed: make(chan error, maxParts),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hotline_panics_total", Help: "Faults contained to one call, message or request.",
		}),
	}
	a.steps.log = log
	defer func() {
		if err != nil {
			err = errors.Join(err, a.steps.stop())
		}
	}()
	a.inForce, a.reloads = cfg, newReloadMetrics(a.registry)
	a.registry.MustRegister(a.panics, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	// First what needs nothing but the configuration, so that a fault there is told before a disk or a
	// socket is touched; then the data folder, which keeps a second process out; SIP's sockets late.
	for _, part := range []struct {
		name string
		open func() error
	}{
		{"prompts and menus", a.openPrompts},
		{"call records", a.openStore},
		{"recorder", a.openRecorder},
		{"media", a.openMedia},
		{"web", a.openWeb},
		{"webhooks", a.openNotify},
		{"SIP", a.openSIP},
		{"HEP", a.openHEP},
		{"other nodes", a.openSite},
		{"queues", a.openDesk},
		{"calls", a.openExchange},
	} {
		if err := part.open(); err != nil {
			return nil, fmt.Errorf("start %s: %w", part.name, err)
		}
	}
	a.start()
	return a, nil
}

// maxParts bounds the parts that start runs.
const maxParts = 9

// start runs what serves, once everything is wired. The last started is the first stopped: SIP, so that
// nothing new comes, then the desk, then the membership among other nodes, then the pages, then those who are told of what
// happened until then.
func (a *app) start() {
	fail := func(err error) { a.failed <- err }
	a.steps.background("webhooks", fail, a.notify.Run)
	a.steps.background("web", fail, a.web.Run)
	a.runSite(fail)
	a.steps.background("queues", fail, a.center.Run)
	a.steps.background("HEP", fail, a.hep.Run)
	a.steps.background("callbacks", fail, func(ctx context.Context) error { return a.exchange.RunCallbacks(ctx) })
	a.steps.background("SIP", fail, a.ua.Run)
	a.started.Store(true)
}

// serve waits for a signal that ends it, or for a part to fail, and takes everything down in order.
func (a *app) serve(con *console) error {
	var failure error
	by := keeper{a.log}
	defer by.watch(func() { _, _ = a.center.Queues() })() // a fault that was contained is an answer
	by.ready()
	for waiting := true; waiting; {
		select {
		case <-con.hangups:
			by.reloading()
			a.reload("SIGHUP")
			by.ready()
			continue
		case s := <-con.signals:
			a.log.Info("draining: no new calls", zap.Stringer("signal", s), zap.Duration("at most", a.cfg.Drain))
		case failure = <-a.failed:
			a.log.Error("a part failed; shutting down", zap.Error(failure))
		}
		waiting = false
	}
	by.stopping(a.cfg.Drain)
	return errors.Join(failure, a.shutdown(con.signals, failure == nil))
}

// shutdown refuses new calls, lets the live ones go on for as long as the drain allows if it is patient,
// and stops everything.
func (a *app) shutdown(signals <-chan os.Signal, patient bool) error {
	a.draining.Store(true)
	watching, over := context.WithCancel(context.Background())
	a.watchOthers(watching)
	a.ua.Drain()
	a.exchange.HoldCallbacks()
	within := a.cfg.Drain
	if !patient {
		within = 0
	}
	errs := []error{a.drain(signals, within)}
	over()
	errs = append(errs, a.steps.stop())
	for len(a.failed) > 0 { // parts that failed meanwhile; nobody sends any more
		errs = append(errs, <-a.failed)
	}
	return errors.Join(errs...)
}

// drain waits for the live calls, and for those of other nodes whose agents talk through this one. The time's end, a signal or
// the failure of a part hangs them up; such a failure is returned.
func (a *app) drain(signals <-chan os.Signal, within time.Duration) (failure error) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	over := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case s := <-signals:
			a.log.Warn("second signal: hanging up", zap.Stringer("signal", s))
		case failure = <-a.failed:
			a.log.Error("a part failed; hanging up", zap.Error(failure))
		case <-over:
		}
		cancel()
	})
	begun := time.Now()
	cut, relayed := a.exchange.Drain(ctx), a.ua.Relayed()
	for relayed > 0 && pause(ctx, relayedEvery) {
		cut += a.exchange.Drain(ctx) // alarms that have come meanwhile
		relayed = a.ua.Relayed()
	}
	close(over)
	watch.Wait()
	a.log.Info("drained", zap.Duration("took", time.Since(begun)), zap.Int("hung up", cut), zap.Int("of other nodes hung up", relayed))
	return failure
}

// relayedEvery is how often a node that drains looks whether talks of other nodes' callers go through it yet.
const relayedEvery = 50 * time.Millisecond

// pause waits, and reports whether ctx is still good.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// What /readyz says, and what keeps OPTIONS and new calls at 503.
var (
	errStarting = errors.New("starting")
	errDraining = errors.New("draining: no new calls are taken")
)

// ready is the one source of whether new calls are taken, of the pages and of SIP.
func (a *app) ready() error {
	switch {
	case a.draining.Load():
		return errDraining
	case !a.started.Load():
		return errStarting
	default:
		return nil
	}
}

// panicked counts a fault that a part contained. The part has logged it, with its stack.
func (a *app) panicked(where string, _ any) {
	a.panics.Inc()
	a.log.Warn("fault contained", zap.String("where", where))
}

// incoming runs a call to its end. An agent who calls the hotline is busy meanwhile, and one who dials a code is
// on the line.
func (a *app) incoming(ctx context.Context, in call.Incoming) {
	switch {
	case in.Agent == "":
	case in.At.Kind == call.Code:
		a.center.Coded(in.Agent, in.Leg) //nolint:contextcheck // a leg's end is read from its own context
	default:
		a.center.Engaged(in.Agent, in.Leg) //nolint:contextcheck // likewise
	}
	a.exchange.Serve(ctx, in)
}
