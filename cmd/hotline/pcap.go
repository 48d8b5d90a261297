package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// pcapCmd writes what a call in progress says from now on.
type pcapCmd struct {
	Call   string        `arg:"" help:"The id of a call in progress."`
	Config string        `type:"path" required:"" placeholder:"FILE" help:"The configuration; it says where the hotline is, and has a supervisor's token."`
	For    time.Duration `default:"30s" help:"For how long, 1s to 10m. It ends with the call."`
}

// Run implements the command.
func (p *pcapCmd) Run(con *console) error {
	if isTerminal(con.out) {
		return errors.New("a capture is no text; write it to a file: hotline pcap CALL --config FILE > call.pcapng")
	}
	cfg, err := loadConfig(p.Config)
	if err != nil {
		return con.problems(err)
	}
	path := "/api/v1/calls/" + url.PathEscape(p.Call) + "/pcap?" + url.Values{"for": {p.For.String()}}.Encode()
	res, err := askHere(context.Background(), cfg, http.MethodGet, path)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return refusal(res)
	}
	defer func() { _ = res.Body.Close() }()                                                       // it was read
	if _, err := io.Copy(con.out, res.Body); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) { // a hotline that stops cuts it off
		return fmt.Errorf("take the capture from the hotline: %w", err)
	}
	return nil
}
