// Command hotline answers a customer-service hotline: it is the SIP user agent, its queues, its
// recorder and its pages in one program.
//
// main.go has the command line and its exit codes, run.go the order in which a process starts and
// stops, wire.go the one place that picks backends. Everything is wired on the goroutine of the command;
// from then on only the parts have goroutines, each ended by its step.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"go.uber.org/zap/zapcore"
)

// Exit codes.
const (
	exitOK    = 0
	exitFault = 1 // could not start, or did not end cleanly
	exitUsage = 2 // the command line makes no sense
)

// console is where a command speaks to a person, and whence its signals come.
type console struct {
	in       io.Reader
	out, err io.Writer
	// signals carries SIGINT and SIGTERM: the first asks to drain, the second to stop now.
	signals <-chan os.Signal
	// hangups carries SIGHUP: each asks what serves to read the configuration anew, and ends the demo. It may be nil.
	hangups <-chan os.Signal
}

// say writes what a person asked for.
func (c *console) say(format string, args ...any) {
	_, _ = fmt.Fprintf(c.out, format, args...) // nobody to tell when the terminal is gone
}

// complain writes what is wrong; the journal is told that it is an error.
func (c *console) complain(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if toJournal(c.err) {
		text = marked(text, priorities[zapcore.ErrorLevel])
	}
	_, _ = io.WriteString(c.err, text) // as in say
}

// cli is the command line.
type cli struct {
	Serve  serveCmd  `cmd:"" help:"Answer the hotline. Without --config, the reference hotline on loopback."`
	Demo   demoCmd   `cmd:"" help:"Serve on free ports with simulated callers and agents, and show it live."`
	Init   initCmd   `cmd:"" help:"Write a configuration to start from, with this machine's address and random passwords."`
	Check  checkCmd  `cmd:"" help:"Check a configuration: every problem at once, with its line."`
	Menu   menuCmd   `cmd:"" help:"Draw the menus of a configuration as SVG, or walk them without a phone."`
	Reload reloadCmd `cmd:"" help:"Have the hotline that runs read its configuration anew."`
	Bans   bansCmd   `cmd:"" help:"List the sources that are banned, as they tried to log in, scanned, or called in vain."`
	Unban  unbanCmd  `cmd:"" help:"Lift a source's ban."`
	Bench  benchCmd  `cmd:"" help:"Measure what this program costs on this machine."`
	HA1    ha1Cmd    `cmd:"" name:"ha1" help:"Make what stands in for an agent's password in the configuration."`
	Pcap   pcapCmd   `cmd:"" help:"Write what a call in progress says from now on, SIP and RTP, to the standard output as a file for Wireshark."`
	Trace  traceCmd  `cmd:"" help:"Print what a call said by SIP, as a ladder. Also while the hotline runs."`
	Model  modelCmd  `cmd:"" help:"Hold the queues' own code against the formulas of Erlang, in simulated time."`
	Staff  staffCmd  `cmd:"" help:"Say how many agents each half hour needs."`
	Replay replayCmd `cmd:"" help:"Show a day as it would have been under another rule or with other agents."`
}

func main() {
	signals := make(chan os.Signal, 2)
	if hearsSignals(os.Args[1:]) {
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	}
	hangups := make(chan os.Signal, 1)
	if hearsHangups(os.Args[1:]) {
		signal.Notify(hangups, syscall.SIGHUP)
	}
	os.Exit(run(os.Args[1:], &console{in: os.Stdin, out: os.Stdout, err: os.Stderr, signals: signals, hangups: hangups}))
}

// hearsSignals reports whether a command ends in a way of its own by SIGINT and SIGTERM. Those that only read a file or a
// keyboard end by them as any program does.
func hearsSignals(args []string) bool {
	return len(args) > 0 && !slices.Contains([]string{"check", "init", "menu"}, args[0])
}

// hearsHangups reports whether a command has a use for SIGHUP. All others end by it, as a program does whose
// terminal is gone.
func hearsHangups(args []string) bool {
	return len(args) > 0 && (args[0] == "serve" || args[0] == "demo")
}

// run is the whole program but for the process around it.
func run(args []string, con *console) int {
	var c cli
	exit := -1
	parser, err := kong.New(&c,
		kong.Name("hotline"),
		kong.Description("A customer-service hotline: callers, queues, agents, and two promises kept."),
		kong.Writers(con.out, con.err),
		kong.Exit(func(code int) { exit = code }),
	)
	if err != nil {
		con.complain("hotline: %v\n", err)
		return exitFault
	}
	command, err := parser.Parse(args)
	if exit >= 0 { // --help
		return exit
	}
	if err != nil {
		con.complain("hotline: %v\n%s --help tells what there is.\n", err, asked(err))
		return exitUsage
	}
	if err := command.Run(con); err != nil {
		if !errors.Is(err, errSaid) {
			con.complain("hotline: %v\n", err)
		}
		return exitFault
	}
	return exitOK
}

// asked is the command line as far as it was understood, for whoever asks for help with the rest.
func asked(err error) string {
	var p *kong.ParseError
	if errors.As(err, &p) && p.Context != nil {
		if c := p.Context.Command(); c != "" {
			words, _, _ := strings.Cut(c, " <")
			return "hotline " + words
		}
	}
	return "hotline"
}

// errSaid is the error of a command that has told the person everything already.
var errSaid = errors.New("said already")
