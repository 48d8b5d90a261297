package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"

	"hotline/sip"
)

// ha1Cmd makes the HA1s of an agent, so that the password need not stand in the configuration.
type ha1Cmd struct {
	ID     string   `arg:"" help:"The agent's id."`
	Realm  string   `default:"hotline" help:"sip.realm of the configuration. With another realm the HA1 is worthless."`
	Digest []string `default:"md5" help:"Algorithms, as in sip.digest: md5, sha-256, sha-512-256."`
}

// Run implements the command.
func (c *ha1Cmd) Run(con *console) error {
	password, err := readPassword(con)
	if err != nil {
		return fmt.Errorf("read the password: %w", err)
	}
	var lines strings.Builder
	for _, algorithm := range c.Digest {
		ha1, err := sip.HA1(algorithm, c.ID, c.Realm, password)
		if err != nil {
			return fmt.Errorf("make the HA1: %w", err)
		}
		fmt.Fprintf(&lines, "      %s: %s\n", strings.ToLower(algorithm), ha1)
	}
	con.say("  - id: %q\n    ha1:\n%s", c.ID, lines.String())
	return nil
}

// The errors of readPassword.
var (
	errNoPassword   = errors.New("there is none")
	errTwoPasswords = errors.New("they are not the same")
	errUntypable    = errors.New("a control character is in it")
	errLongPassword = fmt.Errorf("it is longer than %d bytes", maxPassword)
)

// maxPassword bounds what is read for a password, in bytes.
const maxPassword = 4 << 10

// readPassword asks at a terminal, twice and without echo; of anything else it takes the first line.
func readPassword(con *console) (string, error) {
	password, err := ask(con)
	switch {
	case err != nil:
		return "", err
	case password == "":
		return "", errNoPassword
	case len(password) > maxPassword:
		return "", errLongPassword
	case strings.ContainsFunc(password, unicode.IsControl):
		return "", errUntypable
	}
	return password, nil
}

func ask(con *console) (string, error) {
	ctx, stop := con.untilSignal()
	defer stop()
	f, ok := con.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		line, err := orStopped(ctx, func() (string, error) {
			return bufio.NewReader(io.LimitReader(con.in, maxPassword+1)).ReadString('\n')
		})
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	before, err := term.GetState(int(f.Fd()))
	if err != nil {
		return "", err
	}
	var said [2]string
	for i, prompt := range []string{"Password: ", "Again: "} {
		con.complain("%s", prompt)
		b, err := orStopped(ctx, func() ([]byte, error) { return term.ReadPassword(int(f.Fd())) })
		con.complain("\n")
		if errors.Is(err, errStopped) {
			_ = term.Restore(int(f.Fd()), before) // the reading, which goes on, has put the echo off
		}
		if err != nil {
			return "", err
		}
		said[i] = string(b)
	}
	if said[0] != said[1] {
		return "", errTwoPasswords
	}
	return said[0], nil
}
