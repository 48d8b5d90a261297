package sip

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TrunkState is how a trunk is just now.
type TrunkState struct {
	Name string
	// Up is whether it answers OPTIONS as one that takes calls; nil where it is not asked, or not known yet.
	Up *bool
	// Calls are those under way, both ways.
	Calls int
	// Registration is one of the states; empty where the trunk does not register.
	Registration string
	// Until is when a RegistrationUp ends unless it is refreshed; else the zero time.
	Until time.Time
	// Code is the status that the last REGISTER was answered with; 0 for none.
	Code int
	// CertificateUntil is when the certificate of ours ends that it is shown; the zero time where there is none.
	CertificateUntil time.Time
	// PeerCertificateUntil is when the certificate ends that it showed on the connection to it that is open; the zero time where
	// there is none, or none by TLS. Of several connections it is the first end.
	PeerCertificateUntil time.Time
}

// Trunks are how all trunks are, in the order of Options.Trunks.
func (u *UA) Trunks() []TrunkState {
	now := time.Now()
	list := u.plan().list
	out := make([]TrunkState, len(list))
	made := u.conns.secured()
	for i, one := range list {
		out[i] = TrunkState{
			Name: one.name, Calls: one.calls.now(), CertificateUntil: one.tls.until(), PeerCertificateUntil: one.shownUntil(made),
		}
		if one.ping != nil {
			if seen := one.ping.seen.Load(); seen != trunkUnknown {
				out[i].Up = new(seen == trunkUp)
			}
		}
		if one.reg == nil {
			continue
		}
		s := one.reg.snapshot(now)
		out[i].Registration, out[i].Code = s.now, s.code
		if s.now == RegistrationUp {
			out[i].Until = s.until
		}
	}
	return out
}

// registrations start and stop those of the plan in force, and the pings.
type registrations struct {
	mu      sync.Mutex
	begun   bool // UA.Run was called
	running map[string]*registration
	pinging map[string]*pinger
	leaving []*registration // that were stopped, by this reload or one before, and may be at it still
}

// beginRegistrations lets registrations be made.
func (u *UA) beginRegistrations() {
	u.regs.mu.Lock()
	defer u.regs.mu.Unlock()
	u.regs.begun = true
	u.applyLocked(u.plan())
}

// applyRegistrations starts and stops registrations as a plan has them. It does nothing before Run.
func (u *UA) applyRegistrations(p *plan) {
	u.regs.mu.Lock()
	defer u.regs.mu.Unlock()
	if u.regs.begun {
		u.applyLocked(p)
	}
}

// applyLocked stops what the plan has not, and starts what it has. One that binds the same address as stopped ones waits for
// them: the binding would be taken back that has just been made.
func (u *UA) applyLocked(p *plan) {
	u.applyPingsLocked(p)
	wanted := make(map[string]*registration)
	for _, one := range p.list {
		if one.reg != nil {
			wanted[one.name] = one.reg
		}
	}
	u.regs.leaving = slices.DeleteFunc(u.regs.leaving, func(g *registration) bool { return closed(g.done) })
	for name, g := range u.regs.running {
		if wanted[name] != g {
			g.stop()
			u.regs.leaving = append(u.regs.leaving, g)
			delete(u.regs.running, name)
		}
	}
	for name, g := range wanted {
		if u.regs.running[name] == g {
			continue
		}
		ctx, stop := context.WithCancel(u.ctx)
		g.ua, g.stop = u, stop
		var after []<-chan struct{}
		for _, old := range u.regs.leaving {
			if old.user == g.user {
				after = append(after, old.done)
			}
		}
		if !u.background("trunk", func() { g.run(ctx, after) }) {
			stop()
			return
		}
		u.regs.running[name] = g
	}
}

// closed tells whether a channel is, to which nobody sends.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// applyPingsLocked is applyLocked for those who are asked whether they live.
func (u *UA) applyPingsLocked(p *plan) {
	wanted := make(map[string]*pinger)
	for _, one := range p.list {
		if one.ping != nil {
			wanted[one.name] = one.ping
		}
	}
	for name, g := range u.regs.pinging {
		if wanted[name] != g {
			g.stop()
			delete(u.regs.pinging, name)
		}
	}
	for name, g := range wanted {
		if u.regs.pinging[name] == g {
			continue
		}
		ctx, stop := context.WithCancel(u.ctx)
		g.ua, g.stop, g.back = u, stop, func(sure bool) { u.registerAnew(name, sure) }
		if !u.background("ping", func() { g.run(ctx) }) {
			stop()
			return
		}
		u.regs.pinging[name] = g
	}
}

// registerAnew has a trunk registered to anew: one that was down and is up, or answers only now, may have forgotten us. Of
// what is not sure it is only where we are registered, as doubt is heeded.
func (u *UA) registerAnew(name string, sure bool) {
	u.regs.mu.Lock()
	defer u.regs.mu.Unlock()
	if g := u.regs.running[name]; g != nil && (sure || g.snapshot(time.Now()).now == RegistrationUp) {
		g.forgotten()
	}
}

// trunkCollector tells of trunks when it is asked: which there are, a reload may change.
type trunkCollector struct {
	state      func() []TrunkState
	registered *prometheus.Desc
	up         *prometheus.Desc
	calls      *prometheus.Desc
	expires    *prometheus.Desc
	theirs     *prometheus.Desc
}

func newTrunkCollector(state func() []TrunkState) *trunkCollector {
	return &trunkCollector{state: state, registered: prometheus.NewDesc(
		prometheus.BuildFQName(metricPrefix, labelTrunk, "registered"),
		"Whether a trunk that registers to its carrier is registered there: 1, else 0.", []string{labelTrunk}, nil,
	), up: prometheus.NewDesc(
		prometheus.BuildFQName(metricPrefix, labelTrunk, "up"),
		"Whether a trunk that is pinged answers as one that takes calls: 1, else 0.", []string{labelTrunk}, nil,
	), calls: prometheus.NewDesc(
		prometheus.BuildFQName(metricPrefix, labelTrunk, "calls"),
		"Calls under way by a trunk, in and out.", []string{labelTrunk}, nil,
	), expires: prometheus.NewDesc(
		prometheus.BuildFQName(metricPrefix, labelTrunk, "certificate_expires_timestamp"),
		"When the certificate of ours ends that a trunk is shown, in seconds since 1970.", []string{labelTrunk}, nil,
	), theirs: prometheus.NewDesc(
		prometheus.BuildFQName(metricPrefix, labelTrunk, "peer_certificate_expires_timestamp"),
		"When the certificate ends that a trunk showed on the connection that is open, in seconds since 1970.", []string{labelTrunk}, nil,
	)}
}

// Describe implements prometheus.Collector.
func (c *trunkCollector) Describe(out chan<- *prometheus.Desc) {
	out <- c.registered
	out <- c.up
	out <- c.calls
	out <- c.expires
	out <- c.theirs
}

// Collect implements prometheus.Collector.
func (c *trunkCollector) Collect(out chan<- prometheus.Metric) {
	for _, s := range c.state() {
		out <- prometheus.MustNewConstMetric(c.calls, prometheus.GaugeValue, float64(s.Calls), s.Name)
		if s.Up != nil {
			out <- prometheus.MustNewConstMetric(c.up, prometheus.GaugeValue, oneIf(*s.Up), s.Name)
		}
		if !s.CertificateUntil.IsZero() {
			out <- prometheus.MustNewConstMetric(c.expires, prometheus.GaugeValue, float64(s.CertificateUntil.Unix()), s.Name)
		}
		if !s.PeerCertificateUntil.IsZero() {
			out <- prometheus.MustNewConstMetric(c.theirs, prometheus.GaugeValue, float64(s.PeerCertificateUntil.Unix()), s.Name)
		}
		if s.Registration != "" {
			out <- prometheus.MustNewConstMetric(c.registered, prometheus.GaugeValue, oneIf(s.Registration == RegistrationUp), s.Name)
		}
	}
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
