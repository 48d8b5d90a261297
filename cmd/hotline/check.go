package main

import "hotline/config"

// checkCmd checks a configuration.
type checkCmd struct {
	File string `arg:"" type:"path" help:"The configuration."`
}

// Run implements the command: nothing is started, nothing is written.
func (c *checkCmd) Run(con *console) error {
	cfg, err := loadConfig(c.File)
	if err != nil {
		return con.problems(err)
	}
	for _, w := range cfg.Warnings {
		con.say("%s\n", w)
	}
	con.say("%s: good: %d numbers, %d menus, %d queues, %d agents\n",
		c.File, numbers(cfg), len(cfg.Menus), len(cfg.Queues), len(cfg.Agents))
	return nil
}

func numbers(cfg *config.Config) (n int) {
	for _, t := range cfg.Trunks {
		n += len(t.Numbers)
	}
	return n
}
