package sip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"
)

// What is known of a trunk that is pinged.
const (
	trunkUnknown = iota // nothing has been answered, nor has it been silent for long enough
	trunkUp
	trunkDown
)

// pinger asks a trunk whether it lives (RFC 3261 section 11.1). It outlives a reload that leaves pingTarget as it is.
type pinger struct {
	ua   *UA
	name string
	o    pingTarget

	stop  context.CancelFunc // nil until it runs; registrations.mu guards it
	hosts atomicAddrs        // that it is asked at
	seen  atomic.Int32       // trunkUnknown, trunkUp or trunkDown
	back  func(sure bool)    // called when the trunk was away, or, not sure, may have been

	// What follows is run's own.
	asks     func(ctx context.Context) (code int, err error) // ask, but for tests of run
	late     bool                                            // the last answer came only after OPTIONS was sent again
	answered bool                                            // OPTIONS ever was, whatever the status
}

// pingTarget is whom a pinger asks, and how often.
type pingTarget struct {
	network, address string
	user, domain     string // of whom it is asked by, where it has a domain
	every            time.Duration
}

// newPinger is nil where a trunk is not pinged: it has nowhere to be asked at, or no interval.
func newPinger(o *TrunkOptions) *pinger {
	p := &pinger{name: o.Name, o: pingTarget{every: o.Ping}}
	p.asks = p.ask
	switch {
	case o.Ping <= 0:
		return nil
	case o.Out != nil:
		p.o.network, p.o.address = o.Out.Network, o.Out.Address
	case o.Register != nil:
		p.o.network, p.o.address = o.Register.Network, o.Register.Address
	default:
		return nil
	}
	if o.Out != nil {
		p.o.domain, p.o.user = o.Out.Domain, o.Out.From
	}
	if o.Register != nil {
		p.o.domain, p.o.user = o.Register.Domain, cmp.Or(o.Register.User, o.Register.Username)
	}
	return p
}

// run asks until ctx is done.
func (p *pinger) run(ctx context.Context) {
	select {
	case <-p.ua.reading:
	case <-ctx.Done():
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		p.once(ctx)
		timer.Reset(p.o.every)
	}
}

// once asks, and tells of a change.
func (p *pinger) once(ctx context.Context) {
	late := p.late
	code, err := p.asks(ctx)
	if ctx.Err() != nil {
		return
	}
	now := int32(trunkUp)
	if err != nil || !takesCalls(code) {
		now = trunkDown
	}
	p.answered = p.answered || err == nil
	if !p.answered && p.registered() {
		now = trunkUnknown // it has never heard of OPTIONS, and lives
	}
	before := p.seen.Swap(now)
	switch {
	case before == now:
		if now == trunkUp && p.late && !late && p.back != nil {
			p.back(false) // it may have begun anew between the two sendings
		}
	case now == trunkDown:
		p.ua.log.Warn("trunk is down: calls outside go by others first, where dial has others",
			zap.String("trunk", p.name), zap.Int("code", code), zap.Error(err))
	case now == trunkUnknown:
		p.ua.log.Info("trunk is registered to, and has never answered OPTIONS: these do not tell whether it is down",
			zap.String("trunk", p.name))
	default:
		p.ua.log.Info("trunk is up", zap.String("trunk", p.name), zap.Int("code", code))
		if before == trunkDown && p.back != nil {
			p.back(true)
		}
	}
}

// registered reports whether the trunk is registered to at the address where it is pinged: then somebody is there.
func (p *pinger) registered() bool {
	t := p.ua.plan().byName(p.name)
	return t != nil && t.reg != nil && t.reg.o.Network == p.o.network && t.reg.o.Address == p.o.address &&
		t.reg.snapshot(time.Now()).now == RegistrationUp
}

// takesCalls reports whether a status to OPTIONS is of somebody who would take a call. One who does not know OPTIONS, or us, or
// wants a password, is there; one who is over-loaded or shutting down, or a proxy that reaches nobody, is not.
func takesCalls(code int) bool {
	switch code {
	case sipmsg.StatusNotImplemented, sipmsg.StatusVersionNotSupported, sipmsg.StatusMessageTooLarge:
		return true
	case sipmsg.StatusRequestTimeout:
		return false
	}
	return code < sipmsg.StatusInternalServerError || code >= sipmsg.StatusGlobalBusyEverywhere
}

// ask sends OPTIONS to the addresses of the trunk, one after the other, until one answers as one who takes calls, and returns
// the last status. That one is called first.
func (p *pinger) ask(ctx context.Context) (code int, err error) {
	host, port := hostAndPort(p.o.address)
	addrs, err := p.ua.hosts.lookUp(ctx, host)
	if err != nil {
		return 0, fmt.Errorf("look up trunk %s: %w", p.name, err)
	}
	p.hosts.set(addrs)
	to := aim{p.name, p.o.network, host, port}
	p.ua.aims.set(to, addrs)
	err = errNoListener
	for _, a := range addrs {
		h, ok := p.ua.wayTo(p.o.network, netip.AddrPortFrom(a, port))
		if !ok {
			continue
		}
		said, failed := 0, p.ua.secures(ctx, to, h)
		if failed == nil {
			said, failed = p.askAt(ctx, h, host, port)
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if failed == nil && takesCalls(said) {
			p.ua.hosts.answered(host, a)
			return said, nil
		}
		if failed == nil || err != nil { // a status says more than silence
			code, err = said, failed
		}
	}
	return code, err
}

func (p *pinger) askAt(ctx context.Context, h hop, host string, port uint16) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, registerWithin*p.ua.o.T1)
	defer cancel()
	self := sipmsg.Uri{Scheme: schemeSIP, User: serverName, Host: p.ua.selfAt(h).Addr().String()}
	if p.o.domain != "" {
		self.User, self.Host = p.o.user, p.o.domain // whom the carrier knows there
	}
	to := inDomain(p.o.domain, sipmsg.Uri{Scheme: schemeSIP, Host: host, Port: int(port)}, p.o.network)
	d := dialog{
		CallID: newID(), LocalTag: newID(), Local: nameAddr("", &self), Remote: nameAddr("", &to), Target: to.String(),
	}
	req, err := d.request(sipmsg.OPTIONS, 0)
	if err != nil {
		return 0, err
	}
	req.AppendHeader(p.ua.contactAt(h))
	req.AppendHeader(sipmsg.NewHeader("Accept", sdpType))
	p.ua.dispatchable(req, h)
	sent := time.Now()
	res, err := p.ua.do(ctx, req)
	p.late = h.transport == transportUDP && time.Since(sent) >= p.ua.o.T1 // timer E has fired (RFC 3261 section 17.1.2.2)
	if err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			p.ua.unanswered(h, err)
		}
		return 0, err
	}
	return res.StatusCode, nil
}
