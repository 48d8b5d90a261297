package main

import (
	"slices"

	"hotline/acd"
	"hotline/call"
	"hotline/config"
	"hotline/ivr"
	"hotline/media/prompts"
)

// openPrompts reads the prompts and the menus. Whether every prompt is there was checked with the
// configuration.
func (a *app) openPrompts() (err error) {
	a.prompts, err = prompts.New(prompts.Options{
		Folder: a.cfg.Prompts.Folder, Language: a.cfg.Service.Language, Logger: a.log.Named("prompts"),
	})
	if err != nil {
		return err
	}
	a.menus, err = a.readMenus()
	return err
}

// findPrompts tells a configuration's check which prompts there are not; without names, which of those
// that are said whatever the configuration is.
func findPrompts(folder, language string, names ...string) (missing []string, err error) {
	set, err := prompts.New(prompts.Options{Folder: folder, Language: language})
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		names = slices.Concat(call.NeededPrompts(), acd.CodePrompts(), prompts.DigitNames("0123456789"),
			[]string{ivr.DefaultNoKey, ivr.DefaultInvalidKey})
	}
	return set.Missing(names...), nil
}

func (a *app) readMenus() (*ivr.Menus, error) {
	menus := make(map[string]ivr.MenuOptions, len(a.cfg.Menus))
	for name, m := range a.cfg.Menus {
		keys := make(map[string]call.Next, len(m.Keys))
		for key, to := range m.Keys {
			keys[key] = leadsTo(to)
		}
		menus[name] = ivr.MenuOptions{
			Prompt: m.Prompt, Wait: m.Wait, Tries: m.Tries, Keys: keys, Otherwise: leadsTo(m.Otherwise),
		}
	}
	return ivr.New(ivr.Options{Menus: menus, Prompts: a.prompts, Logger: a.log.Named("ivr")})
}

// leadsTo turns a destination of the configuration into where a call goes.
func leadsTo(d config.Destination) call.Next {
	if d.Menu != "" {
		return call.Next{Kind: call.Menu, Menu: d.Menu}
	}
	return call.Next{Kind: call.Wait, Queue: d.Queue}
}
