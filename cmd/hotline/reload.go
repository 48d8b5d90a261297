package main

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"hotline/acd"
	"hotline/config"
	"hotline/web"
)

// Outcomes of a reload. A metric's label.
const (
	reloadDone    = "done"
	reloadRefused = "refused"
)

// reloadMetrics tell who watches whether what runs is what the file says.
type reloadMetrics struct {
	reloads *prometheus.CounterVec
	loaded  prometheus.Gauge
}

func newReloadMetrics(r prometheus.Registerer) *reloadMetrics {
	m := &reloadMetrics{
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_reloads_total", Help: "Configurations read anew while running, by outcome: done, refused.",
		}, []string{"outcome"}),
		loaded: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hotline_config_loaded_timestamp", Help: "When the configuration in force was read, in seconds since 1970.",
		}),
	}
	for _, outcome := range []string{reloadDone, reloadRefused} {
		m.reloads.WithLabelValues(outcome)
	}
	m.loaded.SetToCurrentTime()
	r.MustRegister(m.reloads, m.loaded)
	return m
}

// errNoFile: what runs was not read from a file.
var errNoFile = errors.New("there is no configuration file to read anew")

// readBy says how the configuration is read anew.
func (a *app) readBy(read func() (*config.Config, error)) {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	a.read = read
}

// reload reads the configuration's file anew, and puts it in force if nothing is wrong with it: whole, or not at
// all. It may be called from any goroutine; reloads come one after the other.
func (a *app) reload(by string) web.Reloaded {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	log := a.log.With(zap.String("by", by))
	began := time.Now()
	restart, err := a.take()
	if err != nil {
		a.reloads.reloads.WithLabelValues(reloadRefused).Inc()
		lines := problemLines(err)
		for _, line := range lines {
			log.Error("not reloaded", zap.String("problem", line))
		}
		return web.Reloaded{Problems: lines}
	}
	a.reloads.reloads.WithLabelValues(reloadDone).Inc()
	a.reloads.loaded.SetToCurrentTime()
	log.Info("reloaded", zap.Duration("took", time.Since(began)))
	for _, key := range restart {
		log.Warn("takes effect at restart", zap.String("setting", key))
	}
	return web.Reloaded{Restart: restart}
}

// take reads, checks and swaps. Everything that may fail comes before the first thing is changed; then the order
// is that of a call backwards: what numbers and menus lead to is there before they lead to it.
func (a *app) take() (restart []string, err error) {
	if a.read == nil {
		return nil, errNoFile
	}
	cfg, err := a.read()
	if err != nil {
		return nil, err
	}
	if err := keepTokens(cfg, a.inForce); err != nil {
		return nil, err
	}
	restart = needRestart(a.cfg, cfg)
	if several(a.cfg) { // the other nodes go by how long an offer of this one may last, and its INVITEs say it
		cfg.Targets.AnswerRings, cfg.Targets.Ring = a.cfg.Targets.AnswerRings, a.cfg.Targets.Ring
	}
	cfg.GoOnIn(a.cfg.Service.Timezone) // records and reports have it from the start on, so hours must not part from them
	next := a.with(cfg)
	if err := next.readPrompts(); err != nil {
		return nil, err
	}
	rules := deskOptions(cfg)
	rules.Open = openBy(cfg, next.calendars)
	desk, err := a.center.Reload(rules)
	if errors.Is(err, acd.ErrAlarmQueue) {
		return nil, errors.New("alarm.queue: another queue can become that of the alarms at a restart alone")
	}
	if err != nil {
		return nil, err
	}
	door, err := a.ua.Reload(next.doorSettings())
	if err != nil {
		return nil, err
	}
	told, err := a.notify.Reload(hooks(cfg))
	if err != nil {
		return nil, err
	}
	a.notify.Queues(slices.Sorted(maps.Keys(cfg.Queues)))
	desk()
	a.exchange.Reload(next.callSettings())
	a.web.Apply(next.pageSettings())
	door()
	a.aimHEP(cfg)
	a.watches.Know(agentIDs(cfg), openNumbers(cfg))
	told() // last: it may wait for a disk
	a.inForce = cfg
	return restart, nil
}

// with is an app of another configuration around the same parts. It is there only to make settings of.
func (a *app) with(cfg *config.Config) *app {
	return &app{
		cfg: cfg, log: a.log, registry: a.registry, panics: a.panics,
		store: a.store, egress: a.egress, engine: a.engine, center: a.center, exchange: a.exchange, ua: a.ua,
	}
}

// keepTokens keeps the tokens that were made at random because the file has none: people were told them at the start.
// Another one is an error: nobody would ever be told it.
func keepTokens(cfg, before *config.Config) error {
	var problems []error
	for i, t := range cfg.HTTP.Tokens {
		if !t.Generated {
			continue
		}
		at := slices.IndexFunc(before.HTTP.Tokens, func(old config.Token) bool { return old.Generated && old.Name == t.Name })
		if at < 0 {
			problems = append(problems, fmt.Errorf("http.tokens: %q is not set, and one is made at random at a start alone", t.Name))
			continue
		}
		cfg.HTTP.Tokens[i].Token = before.HTTP.Tokens[at].Token
	}
	return errors.Join(problems...)
}

// startsWith is what a process has from its start on, by the keys of the configuration.
func startsWith(c *config.Config) map[string]any {
	sip := c.SIP
	with := map[string]any{
		"sip.listen": bound(sip.Listen), "sip.realm": sip.Realm, "sip.digest": sip.Digest, "sip.max_calls": sip.MaxCalls,
		"sip.ping": sip.Ping, "sip.t1": sip.T1, "sip.trying_after": sip.TryingAfter, "sip.expires": sip.Expires,
		"sip.trace_keep": sip.TraceKeep, "sip.session_expires": sip.SessionExpires, "sip.min_se": sip.MinSE,
		"media": c.Media, "http.listen": c.HTTP.Listen, "data": c.Data, "records": c.Records, "state": c.State, "node": c.Node, "drain": c.Drain, "recorder": c.Recorder,
		"service.timezone": c.Service.Timezone.String(),
		"callback":         c.Callback, "codes.survey": c.Codes.Survey,
	}
	if several(c) {
		with["targets.answer_rings"], with["targets.ring"] = c.Targets.AnswerRings, c.Targets.Ring
	}
	return with
}

// bound are listeners but for their certificates, which a reload exchanges.
func bound(ls []config.Listener) []config.Listener {
	ls = slices.Clone(ls)
	for i := range ls {
		ls[i].Certificate, ls[i].Key = "", ""
	}
	return ls
}

// needRestart names what changed since the start and takes effect at the next one, in order.
func needRestart(began, now *config.Config) []string {
	var keys []string
	is := startsWith(now)
	for key, was := range startsWith(began) {
		if !reflect.DeepEqual(was, is[key]) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// problemLines is what is wrong with a configuration, one line each.
func problemLines(err error) []string {
	var problems config.Problems
	if !errors.As(err, &problems) {
		return []string{err.Error()}
	}
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.String()
	}
	return lines
}
