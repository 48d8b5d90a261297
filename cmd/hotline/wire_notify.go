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
		Hooks: hooks(a.cfg), Logger: a.log.Named("notify"), Registry: a.registry,
	}
	a.notify, err = notify.New(o)
	if err != nil {
		return err
	}
	a.steps.add("webhooks' connections", client.Close)
	a.steps.add("webhooks' files", a.notify.Close)
	return nil
}

// hooks are the programs that are told, as a configuration has them.
func hooks(cfg *config.Config) []notify.Hook {
	out := make([]notify.Hook, len(cfg.Webhooks))
	for i, w := range cfg.Webhooks {
		out[i] = notify.Hook{
			Name: w.Name, URL: w.URL.Reveal(), Secret: w.Secret.Reveal(), Events: eventKinds(w.Events), FullNumbers: w.FullNumbers,
		}
	}
	return out
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
