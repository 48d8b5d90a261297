package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"

	"hotline/config"
)

// askHere asks the API of the hotline of a configuration, as a supervisor. The answer's body is the caller's to close.
func askHere(ctx context.Context, cfg *config.Config, method, path string) (*http.Response, error) {
	token := ""
	for _, t := range cfg.HTTP.Tokens {
		if t.Role == config.Supervisor && !t.Generated {
			token = t.Token.Reveal()
		}
	}
	if token == "" {
		return nil, errNoSupervisor
	}
	at := cfg.HTTP.Listen
	if at.Addr().IsUnspecified() {
		at = netip.AddrPortFrom(loopback, at.Port())
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+at.String()+path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("ask the hotline: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := here.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("ask the hotline at %s: %w", at, err)
	}
	return res, nil
}

// readHere is askHere with the whole answer, as far as it is of use.
func readHere(ctx context.Context, cfg *config.Config, method, path string) (status int, body []byte, err error) {
	res, err := askHere(ctx, cfg, method, path)
	if err != nil {
		return 0, nil, err
	}
	body, err = io.ReadAll(io.LimitReader(res.Body, answerMost))
	_ = res.Body.Close() // all that is wanted was read
	if err != nil {
		return 0, nil, fmt.Errorf("read the hotline's answer: %w", err)
	}
	return res.StatusCode, body, nil
}

var errNoSupervisor = errors.New("http.tokens has no token of a supervisor (one whose variable is not set here is none)")

// refusal is an answer that is none of 200 as an error, and closes it.
func refusal(res *http.Response) error {
	const most = 4 << 10
	body, _ := io.ReadAll(io.LimitReader(res.Body, most)) // what can be read of why
	_ = res.Body.Close()
	return fmt.Errorf("the hotline answers %s: %s", res.Status, printable(strings.TrimSpace(string(body))))
}
