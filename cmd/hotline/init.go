package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"hotline/config"
)

// initCmd writes a configuration to start from.
type initCmd struct {
	File   string `arg:"" optional:"" type:"path" help:"Where to write, as --output."`
	Output string `short:"o" type:"path" placeholder:"FILE" help:"Where to write; without it, standard output. A file that exists is left alone."`
}

// Run implements the command.
func (c *initCmd) Run(con *console) error {
	addr, err := config.DetectAddress()
	if err != nil {
		return fmt.Errorf("find this machine's address: %w", err)
	}
	o := config.InitOptions{Address: addr}
	c.Output = cmp.Or(c.Output, c.File)
	if c.Output == "" {
		return config.Init(con.out, o)
	}
	if err := create(c.Output, func(w io.Writer) error { return config.Init(w, o) }); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already and was left as it is: name another file, or move it away: %w", c.Output, err)
	} else if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	con.say("wrote %s for address %s; put your carrier's address in trunks, then:\n"+
		"  hotline check %[1]s\n  hotline serve --config %[1]s\n", c.Output, addr)
	return nil
}

// create makes a file that only its owner reads, for it holds passwords. A file that is there already is
// left alone, one that cannot be written whole is taken away.
func create(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
