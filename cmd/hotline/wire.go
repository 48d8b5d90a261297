package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"hotline/call"
	"hotline/config"
	"hotline/media"
	"hotline/recorder"
	"hotline/store/sqlstore"
	"hotline/web"
)

func (a *app) openStore() (err error) {
	if err := os.MkdirAll(a.cfg.Data, 0o750); err != nil {
		return fmt.Errorf("make the data folder %s: %w", a.cfg.Data, err)
	}
	targets := a.targets()
	a.store, err = sqlstore.Open(context.Background(), sqlstore.Options{
		Path: recordsFile(a.cfg), URL: a.cfg.Records.Reveal(), LadderKeep: a.cfg.SIP.TraceKeep,
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

// recordsFile is the database of call records, if that is a file.
func recordsFile(cfg *config.Config) string { return filepath.Join(cfg.Data, "hotline.db") }

// recordsName tells people where the records are.
func recordsName(cfg *config.Config) string {
	if cfg.Records.Reveal() != "" {
		return "the database that records names"
	}
	return recordsFile(cfg)
}

// openRecords opens the database of call records to be read, also while the hotline writes it.
func openRecords(ctx context.Context, cfg *config.Config) (*sqlstore.Reader, error) {
	if url := cfg.Records.Reveal(); url != "" {
		return sqlstore.OpenURLReader(ctx, url, cfg.SIP.TraceKeep)
	}
	return sqlstore.OpenReader(ctx, recordsFile(cfg), cfg.SIP.TraceKeep)
}

// checkRecords judges where records are to be kept, without asking there.
func checkRecords(c *config.Config) []config.Finding {
	url := c.Records.Reveal()
	if url == "" || sqlstore.CheckURL(url) == nil {
		return nil
	}
	return []config.Finding{{
		Path: "records", Found: "what PostgreSQL's driver does not take",
		Want: "postgres://USER:PASSWORD@HOST:PORT/DATABASE, and settings of libpq behind a ?, such as sslmode=verify-full",
	}}
}

// withoutRecords has a start go on that wanted to know what was before, while the database does not say.
func (a *app) withoutRecords(err error) error {
	if !errors.Is(err, call.ErrUnavailable) {
		return err
	}
	a.log.Warn("starting without what was before: the database of call records does not serve", zap.Error(err))
	return nil
}

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

// mediaEngines are what carries audio.
var mediaEngines = map[config.MediaEngine]func(media.Options) (media.Engine, error){
	config.EngineAuto:     media.New,
	config.EngineEpoll:    media.NewEpoll,
	config.EnginePortable: media.NewPortable,
}

func (a *app) openMedia() error {
	m := a.cfg.Media
	engine, err := mediaEngines[m.Engine](media.Options{
		Address: m.Address, Advertise: m.Advertise, Ports: media.PortRange{Lo: m.Ports.Low, Hi: m.Ports.High},
		Rest: m.Rest, Timeout: m.Timeout, Codecs: codecsOf(m.Codecs), NoInband: m.Inband == config.InbandOff,
		OnPanic: a.panicked, Logger: a.log.Named("media"), Registry: a.registry,
	})
	if err != nil {
		return err
	}
	a.engine = engine
	a.steps.add("media", engine.Close)
	return nil
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
	others, err := a.openPeers()
	if err != nil {
		return err
	}
	a.web = web.New(web.Options{
		Listener: a.http, Location: a.cfg.Service.Timezone, Settings: a.pageSettings(), Records: a.store,
		Recording: a.recording, Ladder: a.ladder, Watch: a.watch, Pcap: a.pcap,
		Live:        func() []call.Live { return a.exchange.Live() },
		Queues:      func() ([]call.QueueView, error) { return a.center.Queues() },
		Agents:      func() ([]call.AgentView, error) { return a.center.Agents() },
		Trunks:      func() []web.Trunk { return a.trunkStates() },
		Shifts:      func() web.Shifts { return a.center },
		Supervision: func() web.Supervision { return a.exchange },
		Picker:      func() web.Picker { return a.exchange },
		Outages:     a.store, Reload: func() web.Reloaded { return a.reload("API") },
		Callbacks:      func() []call.Booking { return a.exchange.Callbacks() },
		CancelCallback: func(ctx context.Context, id string) error { return a.exchange.CancelCallback(ctx, id) },
		Bans:           a.bans, Unban: func(address netip.Addr) bool { return a.ua.Unban(address) },
		Site: others, Ready: a.ready, Panicked: a.panics.Inc,
		Gatherer: a.registry, Metrics: a.registry, Logger: a.log.Named("web"),
	})
	return nil
}

// pageSettings are what of the API and the page the configuration says.
func (a *app) pageSettings() web.Settings {
	s := web.Settings{
		Service: a.cfg.Service.Name, AnswerRings: a.cfg.Targets.AnswerRings, Talk: a.cfg.Targets.Talk,
		ServiceLevel: a.cfg.Targets.ServiceLevel.Within, HasPrompt: a.prompts.Has,
	}
	for _, t := range a.cfg.HTTP.Tokens {
		s.Tokens = append(s.Tokens, web.Token{Name: t.Name, Role: roles[t.Role], Token: t.Token.Reveal(), Agent: t.Agent})
	}
	return s
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
