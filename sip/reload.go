package sip

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
)

// Settings are what of the [Options] a reload changes, with the same meaning.
type Settings struct {
	Agents []AgentOptions
	Trunks []TrunkOptions
	Queues []string
	Dial   []DialRule
	Codes  []string
	Alarm  AlarmOptions
	// Overload has no effect where New was given neither this nor a registry.
	Overload OverloadOptions
	Abuse    AbuseOptions
	// Listen are the listeners as they are to be. Those that are there are shown other certificates; nothing else of
	// them changes, and none comes or goes.
	Listen []Listener
}

// plan is who may call in besides agents, and where numbers lead, in and out. It is replaced whole; in itself
// it is immutable, but for what its trunks and rules count.
type plan struct {
	*trunks
	dials  *dialPlan
	logins *logins // nil where no trunk logs in
	queues []string
	codes  []string
	bygone bygone
}

// newPlan checks the settings. What was called by the plans before, if there was one, counts on.
func (u *UA) newPlan(s Settings, before *plan) (*plan, error) {
	p := &plan{trunks: newTrunks(s.Trunks), queues: slices.Clone(s.Queues), codes: slices.Clone(s.Codes)}
	for i := range s.Trunks {
		if err := s.Trunks[i].CheckNumbers(); err != nil {
			return nil, err
		}
	}
	var err error
	if p.dials, err = newDialPlan(s.Dial, p.trunks); err != nil {
		return nil, err
	}
	if p.logins, err = newLogins(s.Trunks, p.trunks, u.loginOptions()); err != nil {
		return nil, err
	}
	if before == nil {
		return p, nil
	}
	p.inherit(before, time.Now())
	for _, one := range p.list {
		for _, old := range before.list {
			if old.name == one.name {
				one.at.p.Store(old.at.p.Load())
				one.keep(old)
			}
		}
	}
	return p, nil
}

// hasAccount tells whether tries of a name are an account's: an agent's, or a trunk's (see Home).
func (u *UA) hasAccount(name string) bool {
	_, there := u.secretOfAccount(name)
	return there
}

// secretOfAccount is what an account proves, if there is one of that name. It takes no lock.
func (u *UA) secretOfAccount(name string) (secret, bool) {
	p := u.plan()
	if user, ok := strings.CutPrefix(name, loginSpace); ok && p.logins != nil && p.logins.byUser[user] != nil {
		return p.logins.accounts.account(user).secret, true
	}
	if trunk, ok := strings.CutPrefix(name, carrierSpace); ok {
		if t := p.byName(trunk); t != nil && t.reg != nil {
			return t.reg.secret(), true
		}
	}
	a := u.registrar.account(name)
	return a.secret, a.id != ""
}

// firstPlan puts in force what the options say. Errors: those of New for trunks, rules and logins.
func (u *UA) firstPlan() error {
	p, err := u.newPlan(Settings{Trunks: u.o.Trunks, Queues: u.o.Queues, Dial: u.o.Dial, Codes: u.o.Codes}, nil)
	if err != nil {
		return err
	}
	trust, err := secureTrunks(u.o.Trunks)
	if err != nil {
		return err
	}
	p.secure(trust, u.metrics)
	u.plans.Store(p)
	return nil
}

// plan is the one in force. Who needs two things of the same one asks once.
func (u *UA) plan() *plan { return u.plans.Load() }

// Reload checks settings and returns what puts them in force; until that is called nothing has changed. It
// may be called from any goroutine, also with others.
//
// The files of certificates are read too; who connects from then on is shown what they hold. So are those of trunks, for
// connections that are made from then on.
//
// Calls and dialogs go on, whoever they are with. An agent who is no more, or whose password is another one,
// loses the registration: the phone has to show that it still may. Errors are those of New but for sockets.
func (u *UA) Reload(s Settings) (put func(), err error) {
	if _, err := u.newPlan(s, nil); err != nil {
		return nil, err
	}
	trust, err := secureTrunks(s.Trunks)
	if err != nil {
		return nil, err
	}
	ro := u.registrar.o
	ro.agents = s.Agents
	if err := ro.check(); err != nil {
		return nil, fmt.Errorf("agents: %w", err)
	}
	shown, err := u.certificates.read(s.Listen)
	if err != nil {
		return nil, err
	}
	return func() {
		u.reloads.Lock()
		defer u.reloads.Unlock()
		u.certificates.put(shown)
		if p, err := u.newPlan(s, u.plan()); err == nil { // it was checked above
			p.secure(trust, u.metrics)
			u.plans.Store(p)
			u.aims.keep(p)
			u.outward.forget()
			u.applyRegistrations(p)
		}
		u.calls.hold(s.Alarm)
		u.load.set(s.Overload)
		u.watch(s.Abuse)
		u.registrar.reload(s.Agents)
		u.sentry.guesses.keep(u.hasAccount)
	}, nil
}

// directory is who may register. It is immutable, but for the accounts' counts, which the registrar's mu guards.
type directory struct {
	accounts map[string]*account
	agents   map[string]AgentOptions
	decoys   *decoys
}

// newDirectory makes the accounts of agents; digest is what is offered where one has no list of his own.
func newDirectory(realm string, agents []AgentOptions, digest []string) *directory {
	d := &directory{accounts: make(map[string]*account, len(agents)), agents: make(map[string]AgentOptions, len(agents))}
	everyone, _ := algorithmsOf(digest) // check has told
	var all []*account
	for _, a := range agents {
		acc, err := a.account(realm, digest)
		if a.ID == "" || err != nil {
			continue
		}
		d.accounts[a.ID], d.agents[a.ID] = acc, a
		all = append(all, acc)
	}
	d.decoys = newDecoys(all, everyone)
	return d
}

// reload replaces the agents. Nonces that were used stay used.
func (r *registrar) reload(agents []AgentOptions) {
	d := newDirectory(r.o.realm, agents, r.o.digest)
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.directory.Load()
	for id, a := range d.accounts {
		if before := old.accounts[id]; before != nil {
			a.counts = before.counts
		}
	}
	r.directory.Store(d)
	r.forgetGatesLocked(d)
	for id, before := range old.agents {
		now, there := d.agents[id]
		if there && now.Password == before.Password && maps.Equal(now.HA1, before.HA1) {
			continue
		}
		if r.bindings.removeAll(id) {
			r.o.logger.Info("agent's phone has to register anew", zap.String("agent", id), zap.Bool("agent there", there))
			r.changedLocked(id)
		}
	}
}
