package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"hotline/config"
	"hotline/web"
)

// reloadCmd has the hotline that runs here read its configuration anew.
type reloadCmd struct {
	Config string `type:"path" required:"" placeholder:"FILE" help:"The configuration; it says where the hotline is, and has a supervisor's token."`
}

const (
	// askWithin bounds the wait for the hotline's answer, and answerMost its length in octets.
	askWithin  = 30 * time.Second
	answerMost = 8 << 20
)

// here asks the hotline itself: the token goes to no proxy, whatever the environment says, and after no redirect.
var here = &http.Transport{DisableKeepAlives: true}

// Run implements the command. A file with problems is not sent for: they are told at once.
func (r *reloadCmd) Run(con *console) error {
	cfg, err := loadConfig(r.Config)
	if err != nil {
		return con.problems(err)
	}
	ctx, stop := con.untilSignal()
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	done, err := askReload(ctx, cfg)
	if err != nil {
		return err
	}
	for _, line := range done.Problems {
		con.complain("%s\n", line)
	}
	if len(done.Problems) > 0 {
		return errSaid
	}
	con.say("%s: in force\n", r.Config)
	for _, key := range done.Restart {
		con.say("%s: takes effect at restart\n", key)
	}
	return nil
}

// askReload asks the hotline of a configuration to reload.
func askReload(ctx context.Context, cfg *config.Config) (done web.Reloaded, err error) {
	status, body, err := readHere(ctx, cfg, http.MethodPost, "/api/v1/reload")
	if errors.Is(err, errNoSupervisor) {
		return done, fmt.Errorf("%w: send the process SIGHUP instead", err)
	}
	if err != nil {
		return done, fmt.Errorf("ask for a reload: %w", err)
	}
	if status != http.StatusOK && status != http.StatusUnprocessableEntity {
		return done, fmt.Errorf("the hotline at %s answers %d %s", cfg.HTTP.Listen, status, http.StatusText(status))
	}
	if err := json.Unmarshal(body, &done); err != nil {
		return done, fmt.Errorf("read what became of the reload: %w", err)
	}
	return done, nil
}
