package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"

	"hotline/acd"
	"hotline/call"
	"hotline/config"
	"hotline/ivr"
	"hotline/media"
	"hotline/media/prompts"
	"hotline/recorder"
	"hotline/sip"
	"hotline/store/sqlstore"
	"hotline/web"
)

// app is the hotline as a value: everything wired, by this file alone.
type app struct {
	cfg      *config.Config
	log      *zap.Logger
	registry *prometheus.Registry
	panics   prometheus.Counter
	steps    steps
	failed   chan error // of a part that ended by itself
	draining atomic.Bool

	store    *sqlstore.Store
	recorder *recorder.Recorder
	engine   media.Engine
	prompts  *prompts.Set
	center   *acd.Center
	exchange *call.Exchange
	ua       *sip.UA
	web      *web.Server
	http     net.Listener
}

// newApp wires and starts everything. On an error what was started is stopped again.
func newApp(cfg *config.Config, log *zap.Logger) (_ *app, err error) {
	a := &app{
		cfg: cfg, log: log, registry: prometheus.NewRegistry(), failed: make(chan error, 8),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hotline_panics_total", Help: "Faults contained to one call, message or request.",
		}),
	}
	a.steps.log = log
	defer func() {
		if err != nil {
			err = errors.Join(err, a.steps.stop(context.Background()))
		}
	}()
	a.registry.MustRegister(a.panics, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, part := range []struct {
		name string
		open func() error
	}{
		{"call records", a.openStore},
		{"recorder", a.openRecorder},
		{"media", a.openMedia},
		{"prompts", a.openPrompts},
		{"web", a.openWeb},
		{"SIP", a.openSIP},
		{"queues", a.openDesk},
		{"calls", a.openExchange},
	} {
		if err := part.open(); err != nil {
			return nil, fmt.Errorf("start %s: %w", part.name, err)
		}
	}
	a.run()
	return a, nil
}

// run starts what serves, once everything is wired. The last started is the first stopped: SIP, so that
// nothing new comes, then the desk, then the pages.
func (a *app) run() {
	fail := func(err error) { a.failed <- err }
	a.steps.background("web", fail, a.web.Run)
	a.steps.background("queues", fail, a.center.Run)
	a.steps.background("SIP", fail, a.ua.Run)
}

func (a *app) openStore() (err error) {
	if err := os.MkdirAll(a.cfg.Data, 0o750); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	targets := a.targets()
	a.store, err = sqlstore.Open(context.Background(), sqlstore.Options{
		Path:    filepath.Join(a.cfg.Data, "hotline.db"),
		Derive:  func(r *call.Record) { call.Derive(r, targets) },
		Metrics: a.registry, Logger: a.log.Named("store"),
	})
	if err != nil {
		return err
	}
	a.steps.addClose("call records", a.store.Close)
	if n := a.store.Recovered(); n > 0 {
		a.log.Warn("closed the records of calls that a crash cut off", zap.Int("calls", n))
	}
	return nil
}

func (a *app) openRecorder() (err error) {
	if !a.cfg.Recorder.Enabled {
		return nil
	}
	a.recorder, err = recorder.New(recorder.Options{
		Dir: filepath.Join(a.cfg.Data, "recordings"), Location: a.cfg.Service.Timezone,
		Logger: a.log.Named("recorder"), Registry: a.registry,
	})
	if err != nil {
		return err
	}
	a.steps.addClose("recorder", a.recorder.Close)
	return nil
}

func (a *app) openMedia() error {
	m := a.cfg.Media
	codecs := make([]media.Codec, len(m.Codecs))
	for i, c := range m.Codecs {
		codecs[i] = media.Codec(c)
	}
	engine, err := media.NewPortable(media.Options{
		Address: m.Address, Advertise: m.Advertise, Ports: media.PortRange{Lo: m.Ports.Low, Hi: m.Ports.High},
		Rest: m.Rest, Codecs: codecs, Logger: a.log.Named("media"), Registry: a.registry,
	})
	if err != nil {
		return err
	}
	a.engine = engine
	a.steps.addClose("media", engine.Close)
	return nil
}

func (a *app) openPrompts() (err error) {
	a.prompts, err = prompts.New(prompts.Options{
		Folder: a.cfg.Prompts.Folder, Language: a.cfg.Service.Language, Logger: a.log.Named("prompts"),
	})
	if err != nil {
		return err
	}
	var missing []error
	for name, q := range a.cfg.Queues {
		if !a.prompts.Has(q.WaitPrompt) {
			missing = append(missing, fmt.Errorf("queue %s: no prompt %q", name, q.WaitPrompt))
		}
	}
	return errors.Join(missing...)
}

func (a *app) openWeb() (err error) {
	a.http, err = net.Listen("tcp", a.cfg.HTTP.Listen.String())
	if err != nil {
		return fmt.Errorf("listen on http.listen: %w", err)
	}
	tokens := make([]web.Token, 0, len(a.cfg.HTTP.Tokens))
	for _, t := range a.cfg.HTTP.Tokens {
		tokens = append(tokens, web.Token{Name: t.Name, Role: web.Role(t.Role), Token: t.Token.Reveal()})
	}
	a.web = web.New(web.Options{
		Listener: a.http, Service: a.cfg.Service.Name, Location: a.cfg.Service.Timezone,
		AnswerRings: a.cfg.Targets.AnswerRings, Talk: a.cfg.Targets.Talk,
		ServiceLevel: a.cfg.Targets.ServiceLevel.Within, Tokens: tokens, Records: a.store,
		Recording: a.recording,
		Live:      func() []call.Live { return a.exchange.Live() },
		Queues:    func() []call.QueueView { return a.center.Queues() },
		Agents:    func() []call.AgentView { return a.center.Agents() },
		Ready:     a.ready, Panicked: a.panics.Inc,
		Gatherer: a.registry, Metrics: a.registry, Logger: a.log.Named("web"),
	})
	return nil
}

func (a *app) recording(name string) (io.ReadSeekCloser, time.Time, error) {
	if a.recorder == nil {
		return nil, time.Time{}, os.ErrNotExist
	}
	f, modified, _, err := a.recorder.Open(name)
	return f, modified, err
}

// errDraining is what /readyz says from the first signal on.
var errDraining = errors.New("draining: no new calls are taken")

func (a *app) ready() error {
	if a.draining.Load() {
		return errDraining
	}
	return nil
}

func (a *app) panicked(where string, _ any) {
	a.panics.Inc()
	a.log.Warn("fault contained", zap.String("where", where))
}

func (a *app) openSIP() (err error) {
	s := a.cfg.SIP
	o := sip.Options{
		Realm: s.Realm, Digest: names(s.Digest), Engine: a.engine, MaxCalls: s.MaxCalls, Ping: s.Ping,
		ExpiresMin: s.Expires.Min, ExpiresMax: s.Expires.Max, ExpiresDefault: s.Expires.Default,
		// The desk and the exchange are wired after the user agent, and before it runs.
		OnIncoming: func(ctx context.Context, in call.Incoming) { a.incoming(ctx, in) },
		OnFlow:     func(agent string, up bool) { a.center.Flow(agent, up) },
		OnPanic:    a.panicked, Logger: a.log.Named("sip"), Registry: a.registry,
	}
	for _, l := range s.Listen {
		o.Listen = append(o.Listen, sip.Listener{Network: l.Network, Address: l.Address, Advertise: l.Advertise})
	}
	for _, g := range a.cfg.Agents {
		o.Agents = append(o.Agents, sip.AgentOptions{
			ID: g.ID, Name: g.Name, Password: g.Password.Reveal(), Digest: names(g.Digest),
		})
	}
	for _, t := range a.cfg.Trunks {
		numbers := make(map[string]call.Next, len(t.Numbers))
		for number, to := range t.Numbers {
			numbers[number] = call.Next{Kind: call.Route, Menu: to.Menu, Queue: to.Queue}
		}
		o.Trunks = append(o.Trunks, sip.TrunkOptions{Name: t.Name, Allow: t.Allow, Numbers: numbers})
	}
	a.ua, err = sip.New(o)
	if err != nil {
		return err
	}
	a.steps.addClose("SIP sockets", a.ua.Close)
	return nil
}

// incoming runs a call to its end. An agent who calls the hotline is busy meanwhile.
func (a *app) incoming(ctx context.Context, in call.Incoming) {
	if in.Agent != "" {
		a.center.Engaged(in.Agent, in.Leg)
	}
	a.exchange.Serve(ctx, in)
}

func (a *app) openDesk() (err error) {
	o := acd.Options{
		Phones: a.ua, Rings: a.cfg.Targets.AnswerRings,
		Ring:    acd.Ring{On: a.cfg.Targets.Ring.On, Off: a.cfg.Targets.Ring.Off},
		OnPanic: a.panicked, Logger: a.log.Named("acd"), Registry: a.registry,
	}
	for name, q := range a.cfg.Queues {
		o.Queues = append(o.Queues, acd.Queue{
			Name: name, Priority: q.Priority, Strategy: string(q.Strategy), WrapUp: q.WrapUp,
			AfterReject: q.AfterReject, AfterBusy: q.AfterBusy, AfterNoAnswer: q.AfterNoAnswer,
			Unreachable: q.Unreachable,
		})
	}
	for _, g := range a.cfg.Agents {
		o.Agents = append(o.Agents, acd.Agent{ID: g.ID, Name: g.Name, Skills: g.Skills})
	}
	a.center, err = acd.New(o)
	return err
}

func (a *app) openExchange() error {
	menus, err := a.menus()
	if err != nil {
		return fmt.Errorf("menus: %w", err)
	}
	o := call.Options{
		Menus: menus, Desk: a.center, Bridge: a.engine, Records: a.store, Prompts: a.prompts,
		Queues: make(map[string]call.QueueOptions, len(a.cfg.Queues)), Targets: a.targets(),
		OnPanic: a.panicked, Logger: a.log.Named("call"), Registry: a.registry,
	}
	if a.recorder != nil { // a nil *Recorder in the interface would not be nil
		o.Recorder = a.recorder
	}
	for name, q := range a.cfg.Queues {
		o.Queues[name] = call.QueueOptions{WaitPrompt: q.WaitPrompt}
	}
	a.exchange, err = call.NewExchange(o)
	return err
}

func (a *app) menus() (*ivr.Menus, error) {
	menus := make(map[string]ivr.MenuOptions, len(a.cfg.Menus))
	for name, m := range a.cfg.Menus {
		keys := make(map[string]call.Next, len(m.Keys))
		for key, to := range m.Keys {
			keys[key] = leadsTo(to)
		}
		menus[name] = ivr.MenuOptions{
			Prompt: m.Prompt, Wait: m.Wait, Tries: m.Tries, Keys: keys, Otherwise: leadsTo(m.Otherwise),
		}
	}
	return ivr.New(ivr.Options{Menus: menus, Prompts: a.prompts, Logger: a.log.Named("ivr")})
}

// leadsTo turns a destination of the configuration into where a call goes.
func leadsTo(d config.Destination) call.Next {
	if d.Menu != "" {
		return call.Next{Kind: call.Menu, Menu: d.Menu}
	}
	return call.Next{Kind: call.Wait, Queue: d.Queue}
}

func (a *app) targets() call.Targets {
	t := a.cfg.Targets
	return call.Targets{Rings: t.AnswerRings, Cycle: t.Ring.On + t.Ring.Off, Talk: t.Talk}
}

func names(algorithms []config.Digest) []string {
	var out []string
	for _, d := range algorithms {
		out = append(out, string(d))
	}
	return out
}
