package main

import (
	"errors"

	"hotline/config"
)

// serveCmd answers the hotline until a signal.
type serveCmd struct {
	Config string   `type:"path" placeholder:"FILE" help:"The configuration; without it, the reference hotline on loopback."`
	Log    logFlags `embed:""`
}

// Run implements the command.
func (s *serveCmd) Run(con *console) error {
	defer collectByNeed()()
	cfg, err := loadConfig(s.Config)
	if err != nil {
		return con.problems(err)
	}
	log, err := s.Log.logger(con.err)
	if err != nil {
		return err
	}
	a, err := newApp(cfg, log)
	if err != nil {
		return err
	}
	a.readBy(func() (*config.Config, error) { return loadConfig(s.Config) })
	con.say("%s", banner(a, s.Config))
	return a.serve(con)
}

// loadConfig reads a file; without one, the reference.
func loadConfig(path string) (*config.Config, error) {
	if path == "" {
		return config.Reference()
	}
	return config.Load(path, findPrompts, checkMenus, checkLanguages, checkMachine, checkRecords, checkState, checkListeners, checkNumbers, checkTrunks)
}

// problems writes what is wrong with a configuration, one line each, or returns any other error.
func (c *console) problems(err error) error {
	var problems config.Problems
	if !errors.As(err, &problems) {
		return err
	}
	for _, p := range problems {
		c.complain("%s\n", p)
	}
	return errSaid
}
