package main

import (
	"hotline/config"
	"hotline/hep"
)

// openHEP wires who is sent every SIP message.
func (a *app) openHEP() (err error) {
	a.hep, err = hep.New(hep.Options{CallOf: a.ua.CallOf, Registry: a.registry, Logger: a.log.Named("hep")})
	if err != nil {
		return err
	}
	a.aimHEP(a.cfg)
	return nil
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
	for _, g := range cfg.Agents {
		open = append(open, g.ID)
	}
	for _, k := range cfg.Trunks {
		for number := range k.Numbers {
			open = append(open, number)
		}
	}
	return open
}
