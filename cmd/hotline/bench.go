package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"time"

	"hotline/sim"
)

// benchCmd measures what this program costs on this machine.
type benchCmd struct {
	ACD      benchACDCmd      `cmd:"" name:"acd" help:"How soon the desk rings a phone, by agents and callers waiting."`
	SIP      benchSIPCmd      `cmd:"" name:"sip" help:"Calls a second, set-up times and CPU per call, next to a bare sipgo server."`
	Overload benchOverloadCmd `cmd:"" help:"What is completed, refused and kept in time when more is offered than can be carried."`

	Serve benchServeCmd `cmd:"" hidden:""`
	benchOnLinux
}

// benchSIPCmd loads three servers in turn, each in a process of its own, and prints what came of it: a server of
// sipgo alone, which is the baseline; the user agent with its media, answering at once; the whole hotline with its
// menu, queues and records. Then it loads the latter two with and without the SIP ladder.
type benchSIPCmd struct {
	Rates  []int         `help:"Calls a second." default:"50,200,500,1000"`
	For    time.Duration `help:"How long calls begin, in each round." default:"4s"`
	Rounds int           `help:"Rounds at each rate; the servers take turns, and the middle one counts." default:"3"`
	Pairs  int           `help:"Pairs of rounds with and without the SIP ladder, which take turns; 0 for none." default:"5"`
	JSON   bool          `help:"Figures as JSON, a line for each rate and server, and for each ladder."`
}

// The servers that are measured, in the order of a round.
const (
	serverBare  = "bare sipgo"
	serverUA    = "user agent"
	serverWhole = "whole hotline"
)

var servers = []string{serverBare, serverUA, serverWhole}

// Run implements the command.
func (b *benchSIPCmd) Run(con *console) error {
	if b.For <= 0 || b.Rounds <= 0 || len(b.Rates) == 0 {
		return errors.New("bench sip: --for, --rounds and --rates must be above 0")
	}
	if b.Pairs < 0 {
		return errors.New("bench sip: --pairs must be 0 or more")
	}
	for _, r := range b.Rates {
		if r <= 0 {
			return errors.New("bench sip: a rate is above 0")
		}
	}
	ctx, stop := con.untilSignal()
	defer stop()
	report := &benchReport{con: con, json: b.JSON}
	report.head()
	for _, rate := range b.Rates {
		rounds := map[string][]benchRound{}
		for range b.Rounds {
			for _, server := range servers {
				r, err := b.round(ctx, server, rate)
				if err != nil {
					return fmt.Errorf("bench sip: %s at %d calls/s: %w", server, rate, err)
				}
				rounds[server] = append(rounds[server], r)
			}
		}
		report.rate(rate, rounds)
	}
	report.foot()
	if err := b.ladders(ctx, report); err != nil {
		return fmt.Errorf("bench sip: %w", err)
	}
	return report.err
}

// benchRound is one server under one rate for a while.
type benchRound struct {
	sim.FloodFigures
	cpu time.Duration // of the server's process, for these calls
}

// perCall is the CPU time of one call.
func (r *benchRound) perCall() time.Duration {
	return r.cpu / time.Duration(max(1, r.Offered))
}

// round starts a server, loads it, and stops it. What starting costs is not counted: a few calls go before.
func (b *benchSIPCmd) round(ctx context.Context, server string, rate int) (r benchRound, err error) {
	s, err := startServer(ctx, server)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	o := sim.FloodOptions{Server: s.addr, Number: benchNumber, From: benchFrom, Rate: 50, For: time.Second / 2}
	if _, err := sim.Flood(ctx, o); err != nil {
		return r, err
	}
	before, err := s.cpu()
	if err != nil {
		return r, err
	}
	o.Rate, o.For = float64(rate), b.For
	if r.FloodFigures, err = sim.Flood(ctx, o); err != nil {
		return r, err
	}
	after, err := s.cpu()
	r.cpu = after - before
	if ctx.Err() != nil {
		err = errors.Join(err, errStopped)
	}
	return r, err
}

// server is a process that is measured. It says on its standard output where it listens, and then, for each line
// that it is sent, how much CPU time it has used; it ends with its standard input.
type server struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
	addr netip.AddrPort
}

// serverSays is a line of a server's.
type serverSays struct {
	Addr netip.AddrPort `json:"addr"`
	CPU  time.Duration  `json:"cpu"` // ns
	// Calls are new calls so far by "class outcome", of a server that has limits; see admissions.
	Calls map[string]int `json:"calls,omitempty"`
}

func startServer(ctx context.Context, kind string) (*server, error) {
	s, err := startProcess(ctx, "bench", "serve", kind)
	if err != nil {
		return nil, err
	}
	said, err := s.read()
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	s.addr = said.Addr
	return s, nil
}

// startProcess runs this program again.
func startProcess(ctx context.Context, args ...string) (s *server, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	s = &server{cmd: exec.CommandContext(ctx, self, args...)} //nolint:gosec // ourselves
	s.cmd.Stderr = os.Stderr
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = bufio.NewScanner(out)
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %v: %w", args, err)
	}
	return s, nil
}

// cpu is how much CPU time the server has used so far, of user and system.
func (s *server) cpu() (time.Duration, error) {
	said, err := s.asked()
	return said.CPU, err
}

// asked is what the server says when it is asked.
func (s *server) asked() (serverSays, error) {
	if _, err := io.WriteString(s.in, "\n"); err != nil {
		return serverSays{}, fmt.Errorf("ask the server: %w", err)
	}
	return s.read()
}

func (s *server) read() (said serverSays, err error) { return said, s.hear(&said) }

// hear reads a line of the server's into v.
func (s *server) hear(v any) error {
	if !s.out.Scan() {
		return errors.Join(errors.New("the server said nothing"), s.out.Err())
	}
	if err := json.Unmarshal(s.out.Bytes(), v); err != nil {
		return fmt.Errorf("read what the server says: %w", err)
	}
	return nil
}

func (s *server) stop() error {
	return errors.Join(s.in.Close(), s.cmd.Wait())
}
