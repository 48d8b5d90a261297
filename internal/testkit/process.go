package testkit

import (
	"errors"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a program that a test started. Its methods may be called from any goroutine.
type process struct {
	cmd    *exec.Cmd
	output *output
	exited chan struct{} // closed when it has ended; then err is set
	err    error
}

// startProcess starts cmd in a process group of its own, with its output kept, and ends the group at
// the test's end. If the test failed, the end of the output is in the test's log.
func startProcess(tb testing.TB, name string, cmd *exec.Cmd) *process {
	tb.Helper()
	p := &process{cmd: cmd, output: newOutput(), exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.output, p.output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// A grandchild that keeps the output open must not keep Wait.
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		tb.Fatalf("start %s: %v", name, err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	tb.Cleanup(func() {
		p.stop(syscall.SIGTERM)
		if tb.Failed() {
			tb.Logf("--- %s said:\n%s", name, tail(p.output.String(), 20_000))
		}
	})
	return p
}

// stop signals the group, kills it if it does not end in a few seconds, and waits.
func (p *process) stop(sig syscall.Signal) {
	p.signal(sig)
	select {
	case <-p.exited:
	case <-time.After(5 * time.Second):
		p.signal(syscall.SIGKILL)
		<-p.exited
	}
}

// signal sends a signal to the group, unless the program has ended.
func (p *process) signal(sig syscall.Signal) {
	select {
	case <-p.exited:
	default:
		// The only failure is that it ended meanwhile, which exited will tell.
		_ = syscall.Kill(-p.cmd.Process.Pid, sig)
	}
}

// code waits for the end and returns the exit code; −1 when a signal ended it.
func (p *process) code() int {
	<-p.exited
	if exit, ok := errors.AsType[*exec.ExitError](p.err); ok {
		return exit.ExitCode()
	}
	if p.err != nil {
		return -1
	}
	return 0
}

// await waits until the output contains text, and fails the test if the program ends first or
// Patience does.
func (p *process) await(tb testing.TB, text string) {
	tb.Helper()
	limit := time.NewTimer(Patience)
	defer limit.Stop()
	for {
		said, more := p.output.look()
		if strings.Contains(said, text) {
			return
		}
		select {
		case <-more:
		case <-limit.C:
			tb.Fatalf("%s did not say %q within %s", p.cmd.Path, text, Patience)
		case <-p.exited:
			if !strings.Contains(p.output.String(), text) {
				tb.Fatalf("%s ended (%v) without saying %q:\n%s", p.cmd.Path, p.err, text, tail(p.output.String(), 4000))
			}
			return
		}
	}
}

// output keeps what a program writes, and tells who waits that there is more.
type output struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{} // closed and replaced at each write
}

func newOutput() *output { return &output{more: make(chan struct{})} }

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(b)
	close(o.more)
	o.more = make(chan struct{})
	return len(b), nil
}

// look returns what was written, and a channel that is closed when there is more.
func (o *output) look() (said string, more <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.more
}

func (o *output) String() string {
	said, _ := o.look()
	return said
}

// tail is the last n bytes of s.
func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return "…" + s[len(s)-n:]
}
