package main

import (
	"fmt"
	"os"

	"go.uber.org/zap"

	"hotline/config"
	"hotline/media/prompts"
)

// checkCmd checks a configuration.
type checkCmd struct {
	File string `arg:"" type:"path" help:"The configuration."`
}

// Run implements the command: nothing is started, nothing is written.
func (c *checkCmd) Run(con *console) error {
	cfg, err := config.Load(c.File)
	if err != nil {
		return sayProblems(con.err, err)
	}
	if _, err := (&app{cfg: cfg, log: zap.NewNop()}).checkPrompts(); err != nil {
		return fmt.Errorf("%s: prompts: %w", c.File, err)
	}
	fmt.Fprintf(con.out, "%s: good: %d numbers, %d menus, %d queues, %d agents\n",
		c.File, numbers(cfg), len(cfg.Menus), len(cfg.Queues), len(cfg.Agents))
	return nil
}

func numbers(cfg *config.Config) (n int) {
	for _, t := range cfg.Trunks {
		n += len(t.Numbers)
	}
	return n
}

// initCmd writes a configuration to start from.
type initCmd struct {
	Output string `short:"o" type:"path" placeholder:"FILE" help:"Where to write; without it, standard output. A file that exists is left alone."`
}

// Run implements the command.
func (c *initCmd) Run(con *console) error {
	addr, err := config.DetectAddress()
	if err != nil {
		return fmt.Errorf("find this machine's address: %w", err)
	}
	if c.Output == "" {
		return config.Init(con.out, config.InitOptions{Address: addr})
	}
	f, err := os.OpenFile(c.Output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // it holds passwords
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	if err := config.Init(f, config.InitOptions{Address: addr}); err != nil {
		_ = f.Close() // the write's error says more
		return fmt.Errorf("write the configuration: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	fmt.Fprintf(con.out, "wrote %s for address %s; put your carrier's address in trunks, then:\n  hotline check %s\n  hotline serve --config %s\n",
		c.Output, addr, c.Output, c.Output)
	return nil
}

// checkPrompts reads the prompts and sees that every one that is named is there.
func (a *app) checkPrompts() (*prompts.Set, error) {
	if err := a.openPrompts(); err != nil {
		return nil, err
	}
	_, err := a.menus()
	return a.prompts, err
}
