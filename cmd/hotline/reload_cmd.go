package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	// reloadWithin bounds the wait for the hotline's answer, and reloadAnswer its length in octets.
	reloadWithin = 30 * time.Second
	reloadAnswer = 1 << 20
)

// here asks the hotline itself: the token goes to no proxy, whatever the environment says, and after no redirect.
var here = &http.Transport{DisableKeepAlives: true}

// Run implements the command. A file with problems is not sent for: they are told at once.
func (r *reloadCmd) Run(con *console) error {
	cfg, err := loadConfig(r.Config)
	if err != nil {
		return con.problems(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), reloadWithin)
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
	res, err := askHere(ctx, cfg, http.MethodPost, "/api/v1/reload")
	if errors.Is(err, errNoSupervisor) {
		return done, fmt.Errorf("%w: send the process SIGHUP instead", err)
	}
	if err != nil {
		return done, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, reloadAnswer))
	_ = res.Body.Close() // all that is wanted was read
	if err != nil {
		return done, fmt.Errorf("read what became of the reload: %w", err)
	}
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusUnprocessableEntity {
		return done, fmt.Errorf("the hotline at %s answers %s", cfg.HTTP.Listen, res.Status)
	}
	if err := json.Unmarshal(body, &done); err != nil {
		return done, fmt.Errorf("read what became of the reload: %w", err)
	}
	return done, nil
}
