package sip

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TrunkState is how a trunk is just now.
type TrunkState struct {
	Name string
	// Registration is one of the states; empty where the trunk does not register.
	Registration string
	// Until is when a RegistrationUp ends unless it is refreshed; else the zero time.
	Until time.Time
	// Code is the status that the last REGISTER was answered with; 0 for none.
	Code int
}

// Trunks are how all trunks are, in the order of Options.Trunks.
func (u *UA) Trunks() []TrunkState {
	now := time.Now()
	list := u.plan().list
	out := make([]TrunkState, len(list))
	for i, one := range list {
		out[i] = TrunkState{Name: one.name}
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

// registrations start and stop those of the plan in force.
type registrations struct {
	mu      sync.Mutex
	begun   bool // UA.Run was called
	running map[string]*registration
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

// applyLocked stops what the plan has not, and starts what it has. One that binds the same address as a stopped one waits
// for it: the binding would be taken back that has just been made.
func (u *UA) applyLocked(p *plan) {
	wanted := make(map[string]*registration)
	for _, one := range p.list {
		if one.reg != nil {
			wanted[one.name] = one.reg
		}
	}
	ended := make(map[string]<-chan struct{}) // by the user of the contact
	for name, g := range u.regs.running {
		if wanted[name] != g {
			g.stop()
			ended[g.user] = g.done
			delete(u.regs.running, name)
		}
	}
	for name, g := range wanted {
		if u.regs.running[name] == g {
			continue
		}
		ctx, stop := context.WithCancel(u.ctx)
		g.ua, g.stop = u, stop
		after := ended[g.user]
		if !u.background("trunk", func() { g.run(ctx, after) }) {
			stop()
			return
		}
		u.regs.running[name] = g
	}
}

// trunkCollector tells of trunks when it is asked: which there are, a reload may change.
type trunkCollector struct {
	state      func() []TrunkState
	registered *prometheus.Desc
}

func newTrunkCollector(state func() []TrunkState) *trunkCollector {
	return &trunkCollector{state: state, registered: prometheus.NewDesc(
		prometheus.BuildFQName(metricPrefix, "trunk", "registered"),
		"Whether a trunk that registers to its carrier is registered there: 1, else 0.", []string{labelTrunk}, nil,
	)}
}

// Describe implements prometheus.Collector.
func (c *trunkCollector) Describe(out chan<- *prometheus.Desc) { out <- c.registered }

// Collect implements prometheus.Collector.
func (c *trunkCollector) Collect(out chan<- prometheus.Metric) {
	for _, s := range c.state() {
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
