package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// asProgram in the environment makes the binary of the tests the program itself, for what starts itself anew.
const asProgram = "HOTLINE_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	testkit.Main(m)
}

// patience bounds every wait: long, for a busy machine under the race detector.
const patience = 2 * time.Minute

// terminal is a console that tests read while the program writes it.
type terminal struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // has room for one
}

func newTerminal() *terminal { return &terminal{changed: make(chan struct{}, 1)} }

func (t *terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case t.changed <- struct{}{}:
	default:
	}
	return t.text.Write(p)
}

func (t *terminal) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// program is run, on a goroutine of its own.
type program struct {
	out, err *terminal
	signals  chan os.Signal
	hangups  chan os.Signal
	exited   chan int
}

// start runs the program; at the test's end it is told twice to stop.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	p := &program{out: newTerminal(), err: newTerminal(), signals: make(chan os.Signal, 2), hangups: make(chan os.Signal, 1), exited: make(chan int, 1)}
	over := make(chan struct{})
	go func() {
		defer close(over)
		p.exited <- run(args, &console{out: p.out, err: p.err, signals: p.signals, hangups: p.hangups})
	}()
	t.Cleanup(func() {
		select {
		case <-over:
		default:
			p.stop()
			p.stop()
			<-over
		}
	})
	return p
}

// stop sends the signal that an operator sends.
func (p *program) stop() { p.signals <- syscall.SIGTERM }

// code waits for the end.
func (p *program) code(t *testing.T) int {
	t.Helper()
	select {
	case code := <-p.exited:
		return code
	case <-time.After(patience):
		require.FailNow(t, "the program did not end", "it said: %s\n%s", p.out, p.err)
		return -1
	}
}

// says waits until the program has written text.
func (p *program) says(t *testing.T, text string) {
	t.Helper()
	p.matches(t, regexp.QuoteMeta(text))
}

// matches waits until what the program has written matches a regular expression.
func (p *program) matches(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(patience)
	for want := regexp.MustCompile(text); !want.MatchString(p.out.String()); {
		select {
		case <-p.out.changed:
		case code := <-p.exited:
			require.FailNow(t, "ended without saying "+text, "code %d: %s\n%s", code, p.out, p.err)
		case <-deadline:
			require.FailNow(t, "never said "+text, "only: %s\n%s", p.out, p.err)
		}
	}
}

// command runs a command that ends by itself.
func command(t *testing.T, args ...string) (code int, out, complaints string) {
	t.Helper()
	p := start(t, args...)
	code = p.code(t)
	return code, p.out.String(), p.err.String()
}

func write(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "hotline.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestHelp(t *testing.T) {
	t.Parallel()
	code, out, complaints := command(t, "--help")
	require.Zero(t, code)
	require.Empty(t, complaints)
	for _, name := range []string{"serve", "demo", "init", "check", "ha1"} {
		require.Contains(t, out, name)
	}
}

func TestWrongUsage(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"none":         {},
		"unknown":      {"answer"},
		"unknown flag": {"serve", "--fast"},
		"no file":      {"check"},
		"two files":    {"check", "a.yaml", "--config", "b.yaml"},
		"bad duration": {"demo", "--for", "soon"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _, complaints := command(t, args...)
			require.Equal(t, exitUsage, code)
			require.Contains(t, complaints, "--help")
		})
	}
}

func TestCheckGood(t *testing.T) {
	t.Parallel()
	file := write(t, reference(t))
	for _, args := range [][]string{{"check", file}, {"check", "--config", file}} {
		code, out, complaints := command(t, args...)
		require.Zero(t, code, complaints)
		require.Equal(t, file+": good: 2 numbers, 1 menus, 4 queues, 4 agents\n", out)
		require.Empty(t, complaints)
	}
}

// reference is the contract that the configuration carries.
func reference(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "reference.yaml"))
	require.NoError(t, err)
	return string(text)
}

// TestCheckBad: every problem at once, each with its line.
func TestCheckBad(t *testing.T) {
	t.Parallel()
	file := write(t, "targets:\n  answer_rings: many\nhttp: {listen: nowhere}\nqueue: {}\n")
	code, out, complaints := command(t, "check", file)
	require.Equal(t, exitFault, code)
	require.Empty(t, out)
	for _, start := range []string{":2:17: targets.answer_rings: ", ":3:16: http.listen: ", ":4:1: queue: "} {
		require.Contains(t, complaints, file+start)
	}
	require.Equal(t, 3, strings.Count(complaints, "\n"), "one line for each: %s", complaints)
	require.NotContains(t, complaints, errSaid.Error())
}

// TestCheckPrompts: a prompt that is nowhere is named, with where it is used; all of them at once.
func TestCheckPrompts(t *testing.T) {
	t.Parallel()
	file := write(t, strings.NewReplacer("prompt: welcome", "prompt: hello", "gas-safety", "run-away").Replace(reference(t)))
	for _, args := range [][]string{{"check", file}, {"serve", "--config", file}} {
		code, _, complaints := command(t, args...)
		require.Equal(t, exitFault, code)
		require.Contains(t, complaints, `queues.gas-alarm.wait_prompt: no prompt "run-away"`)
		require.Regexp(t, `:\d+:\d+: menus.main.prompt: no prompt "hello"; want`, complaints)
	}
}

func TestCheckNoFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "none.yaml")
	code, _, complaints := command(t, "check", file)
	require.Equal(t, exitFault, code)
	require.Contains(t, complaints, file)
}

// TestInit: what init writes can be checked and served, is its owner's alone, and is never written over.
func TestInit(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "hotline.yaml")
	code, out, complaints := command(t, "init", "-o", file)
	require.Zero(t, code, complaints)
	require.Contains(t, out, "hotline serve --config "+file)
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	code, _, complaints = command(t, "check", file)
	require.Zero(t, code, complaints)

	before, err := os.ReadFile(file)
	require.NoError(t, err)
	code, _, complaints = command(t, "init", "--output", file)
	require.Equal(t, exitFault, code)
	require.Contains(t, complaints, file)
	after, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, before, after)

	code, out, _ = command(t, "init")
	require.Zero(t, code)
	require.Contains(t, out, "agents:")
}
