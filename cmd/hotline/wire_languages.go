package main

import (
	"fmt"
	"slices"
	"strings"

	"hotline/call"
	"hotline/config"
	"hotline/ivr"
	"hotline/media/prompts"
)

// checkLanguages finds what a language that menus let callers choose has no prompt of, where it is named: it is said in
// the service's language there, which is no reason not to serve, and mostly a file that was forgotten. What is said
// whatever the file names is found at the language.
func checkLanguages(cfg *config.Config) (found []config.Finding) {
	for _, tag := range spoken(cfg) {
		if tag == cfg.Service.Language {
			continue
		}
		set, err := prompts.New(prompts.Options{Folder: cfg.Prompts.Folder, Language: tag})
		if err != nil { // that there are none at all is a problem of the menu's
			continue
		}
		for _, s := range named(cfg, offered(cfg, tag)) {
			if missing := set.Missing(s.prompts...); len(missing) > 0 {
				found = append(found, config.Finding{
					Path: s.path, Mild: true,
					Found: fmt.Sprintf("no prompt %s in language %s: said in %s", strings.Join(missing, ", "), tag, cfg.Service.Language),
					Want:  "a file for each in the folder " + tag + " of prompts.folder",
				})
			}
		}
	}
	return found
}

// naming is a place of the configuration, and the prompts that are said for it.
type naming struct {
	path    string
	prompts []string
}

// named are the prompts that callers may hear, by the place that names them; at the one given, those that are said
// whatever the file names.
func named(cfg *config.Config, always string) []naming {
	said := alwaysSaid()
	all := []naming{{always, said}}
	add := func(path, prompt string) {
		if !slices.Contains(said, prompt) {
			all = append(all, naming{path, []string{prompt}})
		}
	}
	for _, v := range ivr.Graph(menuOptions(cfg)) {
		for _, p := range v.Prompts {
			add("menus."+v.Name+"."+p.Field, p.Name)
		}
	}
	for name, q := range cfg.Queues {
		path := "queues." + name
		add(path+".wait_prompt", q.WaitPrompt)
		add(path+".music", q.Music)
		for i, p := range q.Prompts {
			add(fmt.Sprintf("%s.prompts[%d].prompt", path, i), p.Prompt)
		}
	}
	return all
}

// alwaysSaid are the prompts that callers hear whatever the configuration names.
func alwaysSaid() []string {
	return slices.Concat(call.NeededPrompts(), prompts.DigitNames("0123456789"),
		[]string{ivr.DefaultNoKey, ivr.DefaultInvalidKey})
}

// offered is where a menu lets callers choose a language first.
func offered(cfg *config.Config, tag string) string {
	var paths []string
	for name, m := range cfg.Menus {
		for key, t := range m.Languages {
			if t == tag {
				paths = append(paths, "menus."+name+".languages."+key)
			}
		}
	}
	return slices.Min(paths)
}
