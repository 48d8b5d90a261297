package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

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

func (a *app) openStore() (err error) {
	if err := os.MkdirAll(a.cfg.Data, 0o750); err != nil {
		return fmt.Errorf("make the data folder %s: %w", a.cfg.Data, err)
	}
	targets := a.targets()
	a.store, err = sqlstore.Open(context.Background(), sqlstore.Options{
		Path: recordsFile(a.cfg), LadderKeep: a.cfg.SIP.TraceKeep,
		Derive:  func(r *call.Record) { call.Derive(r, targets) },
		OnPanic: a.panicked, Metrics: a.registry, Logger: a.log.Named("store"),
	})
	if err != nil {
		return err
	}
	a.steps.add("call records", a.store.Close)
	if n := a.store.Recovered(); n > 0 {
		a.log.Warn("closed the records of calls that a crash cut off", zap.Int("calls", n))
	}
	return nil
}

// recordsFile is the database of call records.
func recordsFile(cfg *config.Config) string { return filepath.Join(cfg.Data, "hotline.db") }

// ladder is what a call said by SIP: what is kept of it, and what its live legs have not handed over yet.
func (a *app) ladder(ctx context.Context, id string) ([]call.SIPMessage, error) {
	kept, err := a.store.Ladder(ctx, id)
	if err != nil && !errors.Is(err, call.ErrNotFound) {
		return nil, err
	}
	all := append(kept, a.ua.Ladder(id)...)
	if len(all) == 0 {
		return nil, call.ErrNotFound
	}
	call.SortLadder(all)
	return all, nil
}

func (a *app) openRecorder() (err error) {
	if !a.cfg.Recorder.Enabled {
		return nil
	}
	dir := filepath.Join(a.cfg.Data, "recordings")
	a.recorder, err = recorder.New(recorder.Options{
		Dir: dir, Location: a.cfg.Service.Timezone, Keep: a.cfg.Recorder.Keep,
		OnPanic: a.panicked, Logger: a.log.Named("recorder"), Registry: a.registry,
	})
	if err != nil {
		return err
	}
	a.steps.add("recorder", a.recorder.Close)
	return writable(dir)
}

// writable makes sure that calls can be recorded before the first one comes.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return fmt.Errorf("the folder of recordings cannot be written: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func (a *app) openMedia() error {
	m := a.cfg.Media
	codecs := make([]media.Codec, len(m.Codecs))
	for i, c := range m.Codecs {
		codecs[i] = media.Codec(c)
	}
	engine, err := media.NewPortable(media.Options{
		Address: m.Address, Advertise: m.Advertise, Ports: media.PortRange{Lo: m.Ports.Low, Hi: m.Ports.High},
		Rest: m.Rest, Codecs: codecs, OnPanic: a.panicked, Logger: a.log.Named("media"), Registry: a.registry,
	})
	if err != nil {
		return err
	}
	a.engine = engine
	a.steps.add("media", engine.Close)
	return nil
}

// openPrompts reads the prompts and the menus. Whether every prompt is there was checked with the
// configuration.
func (a *app) openPrompts() (err error) {
	a.prompts, err = prompts.New(prompts.Options{
		Folder: a.cfg.Prompts.Folder, Language: a.cfg.Service.Language, Logger: a.log.Named("prompts"),
	})
	if err != nil {
		return err
	}
	a.menus, err = a.readMenus()
	return err
}

// findPrompts tells a configuration's check which prompts there are not; without names, which of those
// that are said whatever the configuration is.
func findPrompts(folder, language string, names ...string) (missing []string, err error) {
	set, err := prompts.New(prompts.Options{Folder: folder, Language: language})
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		names = slices.Concat(call.NeededPrompts(), prompts.DigitNames("0123456789"),
			[]string{ivr.DefaultNoKey, ivr.DefaultInvalidKey})
	}
	return set.Missing(names...), nil
}

// roles are what a token may see. The page and /metrics are open to all, so a token of role metrics is
// one that can be given to a scraper which insists on sending one: it opens nothing else.
var roles = map[config.Role]web.Role{
	config.Supervisor: web.Supervisor,
	config.Auditor:    web.Auditor,
	config.AgentRole:  web.AgentRole,
	config.MetricsTap: web.MetricsTap,
}

func (a *app) openWeb() (err error) {
	var lc net.ListenConfig
	a.http, err = lc.Listen(context.Background(), "tcp", a.cfg.HTTP.Listen.String())
	if err != nil {
		return fmt.Errorf("http.listen: %w", err)
	}
	a.steps.add("HTTP socket", func() error { return closed(a.http.Close()) })
	tokens := make([]web.Token, 0, len(a.cfg.HTTP.Tokens))
	for _, t := range a.cfg.HTTP.Tokens {
		tokens = append(tokens, web.Token{Name: t.Name, Role: roles[t.Role], Token: t.Token.Reveal()})
	}
	a.web = web.New(web.Options{
		Listener: a.http, Service: a.cfg.Service.Name, Location: a.cfg.Service.Timezone,
		AnswerRings: a.cfg.Targets.AnswerRings, Talk: a.cfg.Targets.Talk,
		ServiceLevel: a.cfg.Targets.ServiceLevel.Within, Tokens: tokens, Records: a.store,
		Recording: a.recording, Ladder: a.ladder,
		Live:   func() []call.Live { return a.exchange.Live() },
		Queues: func() []call.QueueView { return a.center.Queues() },
		Agents: func() []call.AgentView { return a.center.Agents() },
		Ready:  a.ready, Panicked: a.panics.Inc,
		Gatherer: a.registry, Metrics: a.registry, Logger: a.log.Named("web"),
	})
	return nil
}

// closed is the error of a Close by which somebody else came first, and all is well.
func closed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (a *app) recording(name string) (io.ReadSeekCloser, time.Time, error) {
	if a.recorder == nil {
		return nil, time.Time{}, os.ErrNotExist
	}
	f, modified, _, err := a.recorder.Open(name)
	return f, modified, err
}

func (a *app) openSIP() (err error) {
	s := a.cfg.SIP
	sip.SetT1(s.T1)
	o := sip.Options{
		T1: s.T1, Realm: s.Realm, Digest: names(s.Digest), Engine: a.engine, MaxCalls: s.MaxCalls, Ping: s.Ping,
		ExpiresMin: s.Expires.Min, ExpiresMax: s.Expires.Max, ExpiresDefault: s.Expires.Default,
		SessionExpires: s.SessionExpires, MinSE: s.MinSE,
		// The desk and the exchange are wired after the user agent, and before it runs.
		OnIncoming: func(ctx context.Context, in call.Incoming) { a.incoming(ctx, in) },
		OnFlow:     func(agent string, up bool) { a.center.Flow(agent, up) },
		OnPanic:    a.panicked, Logger: a.log.Named("sip"), Registry: a.registry,
	}
	if s.TraceKeep > 0 {
		o.Trace = a.store.Trace
	}
	for _, l := range s.Listen {
		o.Listen = append(o.Listen, sip.Listener{Network: l.Network, Address: l.Address, Advertise: l.Advertise})
	}
	for _, g := range a.cfg.Agents {
		o.Agents = append(o.Agents, sip.AgentOptions{
			ID: g.ID, Name: g.Name, Password: g.Password.Reveal(), HA1: revealed(g.HA1), Digest: names(g.Digest),
		})
	}
	for _, t := range a.cfg.Trunks {
		numbers := make(map[string]call.Next, len(t.Numbers))
		for number, to := range t.Numbers {
			numbers[number] = call.Next{Kind: call.Route, Menu: to.Menu, Queue: to.Queue}
		}
		o.Trunks = append(o.Trunks, sip.TrunkOptions{Name: t.Name, Allow: t.Allow, Numbers: numbers, Out: outBy(t)})
	}
	o.Queues = slices.Collect(maps.Keys(a.cfg.Queues))
	for _, d := range a.cfg.Dial {
		o.Dial = append(o.Dial, sip.DialRule{
			Prefix: d.Prefix, Trunk: d.Through, PerMinute: d.PerMinute, AtOnce: d.AtOnce,
			Hours: sip.Hours{From: d.Hours.From, To: d.Hours.To, Location: a.cfg.Service.Timezone},
		})
	}
	a.ua, err = sip.New(o)
	if err != nil {
		return err
	}
	a.steps.add("SIP sockets", a.ua.Close)
	return nil
}

// outBy is how numbers outside are called through a trunk; nil where they are not.
func outBy(t config.Trunk) *sip.TrunkOut {
	if t.Address == (config.TrunkAddress{}) {
		return nil
	}
	return &sip.TrunkOut{
		Network: t.Address.Network, Address: net.JoinHostPort(t.Address.Host, strconv.Itoa(int(t.Address.Port))),
		Username: t.Username, Password: t.Password.Reveal(), From: t.From,
	}
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

func (a *app) openExchange() (err error) {
	o := call.Options{
		Menus: a.menus, Desk: a.center, Bridge: a.engine, Records: a.store, Prompts: a.prompts, Dialer: a.ua,
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

func (a *app) readMenus() (*ivr.Menus, error) {
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

func revealed(ha1 map[config.Digest]config.Secret) map[string]string {
	out := make(map[string]string, len(ha1))
	for d, s := range ha1 {
		out[string(d)] = s.Reveal()
	}
	return out
}
