package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
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
	ctx, cancel := context.WithTimeout(context.Background(), askWithin)
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
	token := supervisorsToken(cfg)
	if token == "" {
		return done, errors.New("http.tokens has no token of a supervisor (one whose variable is not set here is none): send the process SIGHUP instead")
	}
	status, body, err := askAPI(ctx, cfg, http.MethodPost, "/api/v1/reload", token)
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

// supervisorsToken is a token that a configuration has of a supervisor, "" without one.
func supervisorsToken(cfg *config.Config) (token string) {
	for _, t := range cfg.HTTP.Tokens {
		if t.Role == config.Supervisor && !t.Generated {
			token = t.Token.Reveal()
		}
	}
	return token
}

// askAPI asks the hotline of a configuration something, and reads the answer.
func askAPI(ctx context.Context, cfg *config.Config, method, path, token string) (status int, body []byte, err error) {
	at := cfg.HTTP.Listen
	if at.Addr().IsUnspecified() {
		at = netip.AddrPortFrom(loopback, at.Port())
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+at.String()+path, http.NoBody)
	if err != nil {
		return 0, nil, fmt.Errorf("ask the hotline: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := here.RoundTrip(req)
	if err != nil {
		return 0, nil, fmt.Errorf("ask the hotline at %s: %w", at, err)
	}
	body, err = io.ReadAll(io.LimitReader(res.Body, answerMost))
	_ = res.Body.Close() // all that is wanted was read
	if err != nil {
		return 0, nil, fmt.Errorf("read the hotline's answer: %w", err)
	}
	return res.StatusCode, body, nil
}
