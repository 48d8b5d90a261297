package main

import (
	"cmp"
	"errors"

	"hotline/config"
)

// checkCmd checks a configuration. It is named as for init, or as for serve.
type checkCmd struct {
	File   string `arg:"" optional:"" type:"path" help:"The configuration."`
	Config string `type:"path" placeholder:"FILE" help:"The configuration, as the other commands have it."`
}

// Validate has kong refuse a command line that names no file, or two: the reference needs no check.
func (c *checkCmd) Validate() error {
	if (c.File == "") == (c.Config == "") {
		return errors.New("name one configuration: hotline check FILE, or hotline check --config FILE")
	}
	return nil
}

// Run implements the command: nothing is started, nothing is written.
func (c *checkCmd) Run(con *console) error {
	file := cmp.Or(c.File, c.Config)
	cfg, err := loadConfig(file)
	if err != nil {
		return con.problems(err)
	}
	for _, w := range cfg.Warnings {
		con.say("%s\n", w)
	}
	con.say("%s: good: %d numbers, %d menus, %d queues, %d agents\n",
		file, numbers(cfg), len(cfg.Menus), len(cfg.Queues), len(cfg.Agents))
	return nil
}

func numbers(cfg *config.Config) (n int) {
	for _, t := range cfg.Trunks {
		n += len(t.Numbers)
	}
	return n
}
