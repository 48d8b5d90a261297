package main

import (
	"maps"
	"path/filepath"
	"slices"

	"hotline/call"
	"hotline/config"
	"hotline/egress"
	"hotline/notify"
)

// openNotify wires what is told while it can still be acted on.
func (a *app) openNotify() (err error) {
	client := egress.New(0) // each request has a bound of its own
	o := notify.Options{
		Dir: filepath.Join(a.cfg.Data, "webhooks"), Client: client, Queues: slices.Sorted(maps.Keys(a.cfg.Queues)),
		Logger: a.log.Named("notify"), Registry: a.registry,
	}
	for _, w := range a.cfg.Webhooks {
		o.Hooks = append(o.Hooks, notify.Hook{
			Name: w.Name, URL: w.URL.Reveal(), Secret: w.Secret.Reveal(), Events: eventKinds(w.Events), FullNumbers: w.FullNumbers,
		})
	}
	a.notify, err = notify.New(o)
	if err != nil {
		return err
	}
	a.steps.add("webhooks' connections", client.Close)
	a.steps.add("webhooks' files", a.notify.Close)
	return nil
}

func eventKinds(names []config.EventKind) []call.EventKind {
	kinds := make([]call.EventKind, len(names))
	for i, name := range names {
		kinds[i] = call.EventKind(name)
	}
	return kinds
}

// tell hands what can still be acted on to all who can act. It does not wait.
func (a *app) tell(e call.Event) {
	a.notify.Tell(e)
	a.web.Tell(e)
}
