package main

import (
	"context"
	"errors"
	"io"

	"hotline/call"
	"hotline/config"
	"hotline/hep"
	"hotline/observe"
	"hotline/web"
)

// openHEP wires who is sent every SIP message.
func (a *app) openHEP() (err error) {
	a.hep, err = hep.New(hep.Options{CallOf: a.ua.CallOf, Registry: a.registry, Logger: a.log.Named("hep")})
	if err != nil {
		return err
	}
	a.aimHEP(a.cfg)
	a.watches = observe.New(observe.Options{Observe: a.ua.Observe, PhoneOf: a.ua.PhoneOf, CallOf: a.ua.CallOf, StreamsOf: a.ua.StreamsOf})
	a.watches.Know(agentIDs(a.cfg), openNumbers(a.cfg))
	return nil
}

// watch has a supervisor see what one peer says and is told by SIP.
func (a *app) watch(ctx context.Context, peer string, full bool, began func(), show func(call.SIPMessage) error) (int, error) {
	n, err := a.watches.Watch(ctx, peer, full, began, show)
	switch {
	case errors.Is(err, observe.ErrPeer):
		err = web.ErrNoSuchOne
	case errors.Is(err, observe.ErrBusy):
		err = web.ErrWatched
	}
	return n, err
}

// pcap has a supervisor see all of one call.
func (a *app) pcap(ctx context.Context, id string, w io.Writer, began func()) (call.Capture, error) {
	done, err := a.watches.Pcap(ctx, id, w, began)
	switch {
	case errors.Is(err, observe.ErrNoCall):
		err = call.ErrNotFound
	case errors.Is(err, observe.ErrBusy):
		err = web.ErrWatched
	}
	return done, err
}

// aimHEP has SIP messages go to the capture server of a configuration. Without one, the user agent shows none.
func (a *app) aimHEP(cfg *config.Config) {
	h := cfg.Observe.HEP
	if h.Address == "" {
		if a.observing != nil {
			a.observing()
			a.observing = nil
		}
		a.hep.Aim(nil)
		return
	}
	a.hep.Aim(&hep.Target{
		Address: h.Address, ID: h.ID, Key: h.Password.Reveal(), Full: h.FullNumbers, Open: openNumbers(cfg),
	})
	if a.observing == nil {
		a.observing = a.ua.Observe(a.hep.Send)
	}
}

// openNumbers are those that need not be masked: the hotline's own, and agents'.
func openNumbers(cfg *config.Config) (open []string) {
	open = agentIDs(cfg)
	for _, k := range cfg.Trunks {
		for number := range k.Numbers {
			open = append(open, number)
		}
	}
	return open
}

func agentIDs(cfg *config.Config) (ids []string) {
	for _, g := range cfg.Agents {
		ids = append(ids, g.ID)
	}
	return ids
}
