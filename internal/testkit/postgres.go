package testkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Postgres is a PostgreSQL of a test's own: a fresh cluster in a folder of its own, on a port and socket of its own.
// Its methods may be called from any goroutine.
type Postgres struct {
	Port int

	dir       string // of the data; the socket is beside it
	bin       string
	as        *syscall.Credential // nil: ourselves
	databases atomic.Int64

	mu      sync.Mutex
	cmd     *exec.Cmd
	exited  chan struct{}
	log     *os.File
	stopped bool // by SIGSTOP
}

// postgresUser and PostgresPassword are who may connect, from this machine.
const (
	postgresUser     = "hotline"
	PostgresPassword = "only-for-tests"
)

// StartPostgres makes a cluster and starts it; it is ended with the test, and nothing stays of it. PostgreSQL refuses
// to run as root, so under root it runs as the user postgres, or nobody.
func StartPostgres(tb testing.TB) *Postgres {
	tb.Helper()
	p := &Postgres{bin: postgresPrograms(tb), Port: FreePorts(tb, 1)}
	if err := p.make(); err != nil {
		tb.Fatalf("make a PostgreSQL cluster: %v", err)
	}
	tb.Cleanup(func() {
		p.Kill()
		if text, err := os.ReadFile(p.log.Name()); err == nil && tb.Failed() {
			tb.Logf("--- postgres said:\n%s", tail(string(text), 5_000))
		}
		if err := errors.Join(p.log.Close(), os.RemoveAll(filepath.Dir(p.dir))); err != nil {
			tb.Errorf("remove the PostgreSQL cluster: %v", err)
		}
	})
	p.Start(tb)
	return p
}

// postgresPrograms is the folder of PostgreSQL's programs: Debian does not put them on the PATH.
func postgresPrograms(tb testing.TB) string {
	tb.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err == nil && len(found) > 0 {
		return filepath.Dir(found[len(found)-1])
	}
	path, err := exec.LookPath("initdb")
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		skip(tb, "needs postgresql")
	}
	return filepath.Dir(path)
}

// make makes the cluster. Without flushes to the disk: what a test kills is the server, never the machine.
func (p *Postgres) make() error {
	if os.Getuid() == 0 {
		var err error
		if p.as, err = credential("postgres", "nobody"); err != nil {
			return err
		}
	}
	// Not a test's folder: its path may be too long for a socket (unix(7)), and closed to other users.
	top, err := os.MkdirTemp("", "hotline-pg-")
	if err != nil {
		return err
	}
	p.dir = filepath.Join(top, "data")
	secret := filepath.Join(top, "password")
	if err := os.WriteFile(secret, []byte(PostgresPassword+"\n"), 0o600); err != nil {
		return err
	}
	if p.log, err = os.Create(filepath.Join(top, "log")); err != nil {
		return err
	}
	if p.as != nil {
		for _, path := range []string{top, secret} {
			if err := os.Chown(path, int(p.as.Uid), int(p.as.Gid)); err != nil {
				return err
			}
		}
	}
	cmd := p.command("initdb", "-D", p.dir, "-U", postgresUser, "-A", "scram-sha-256", "--pwfile", secret,
		"-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, tail(string(out), 2000))
	}
	return nil
}

// credential is of the first user that there is.
func credential(names ...string) (*syscall.Credential, error) {
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("root needs another user to run PostgreSQL as: %v", names)
}

// command is one of PostgreSQL's programs, in a process group of its own.
func (p *Postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, name), args...) //nolint:noctx // ended by Stop or Kill
	cmd.Dir = filepath.Dir(p.dir)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TZ=UTC", "LC_ALL=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: p.as}
	return cmd
}

// Start starts the server, at first or again, and returns when it serves.
func (p *Postgres) Start(tb testing.TB) {
	tb.Helper()
	p.mu.Lock()
	cmd := p.command("postgres", "-D", p.dir, "-p", strconv.Itoa(p.Port), "-c", "listen_addresses=127.0.0.1",
		"-k", filepath.Dir(p.dir), "-c", "fsync=off", "-c", "max_connections=60", "-c", "shared_buffers=16MB")
	cmd.Stdout, cmd.Stderr = p.log, p.log
	exited := make(chan struct{})
	err := cmd.Start()
	if err == nil {
		p.cmd, p.exited, p.stopped = cmd, exited, false
		go func() {
			_ = cmd.Wait() // that it was killed is no news
			close(exited)
		}()
	}
	p.mu.Unlock()
	if err != nil {
		tb.Fatalf("start postgres: %v", err)
	}
	Within(tb, Patience, "postgres to serve", func() bool {
		_, err := p.SQL(p.url("public"), "SELECT 1")
		return err == nil
	})
}

// Stop ends the server as its operator would ("fast": connections are cut), and waits.
func (p *Postgres) Stop() { p.end(syscall.SIGINT, false) }

// Crash ends the server at once, as a loss of power would, but for the disk: it recovers when it is started again.
func (p *Postgres) Crash() { p.end(syscall.SIGQUIT, false) }

// Kill ends all its processes by SIGKILL, and waits.
func (p *Postgres) Kill() { p.end(syscall.SIGKILL, true) }

func (p *Postgres) end(sig syscall.Signal, all bool) {
	p.Resume()
	p.mu.Lock()
	cmd, exited := p.cmd, p.exited
	p.mu.Unlock()
	if cmd == nil {
		return
	}
	select {
	case <-exited:
		return
	default:
	}
	pids := []int{cmd.Process.Pid}
	if all {
		pids = append(pids, children(cmd.Process.Pid)...)
	}
	for _, pid := range pids {
		_ = syscall.Kill(pid, sig) // it may have ended
	}
	<-exited
}

// Pause stops all its processes as they stand (SIGSTOP): connections stay open, and nothing answers. Resume has them go
// on.
func (p *Postgres) Pause() { p.still(syscall.SIGSTOP, true) }

// Resume has the server go on after Pause.
func (p *Postgres) Resume() { p.still(syscall.SIGCONT, false) }

func (p *Postgres) still(sig syscall.Signal, stop bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || p.stopped == stop {
		return
	}
	p.stopped = stop
	for _, pid := range append([]int{p.cmd.Process.Pid}, children(p.cmd.Process.Pid)...) {
		_ = syscall.Kill(pid, sig) // it may have ended
	}
}

// children are the processes that a process started (proc(5)): PostgreSQL's do not stay in its group.
func children(of int) (pids []int) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it ended
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(of) {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// Database makes an empty schema, which is as good as a database and sooner made, and returns its URL, password included.
func (p *Postgres) Database(tb testing.TB) string {
	tb.Helper()
	name := fmt.Sprintf("test%d", p.databases.Add(1))
	if _, err := p.SQL(p.url("public"), "CREATE SCHEMA "+name); err != nil {
		tb.Fatalf("make a schema: %v", err)
	}
	return p.url(name)
}

func (p *Postgres) url(schema string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(postgresUser, PostgresPassword),
		Host: net.JoinHostPort(localhost, strconv.Itoa(p.Port)), Path: "postgres",
		RawQuery: url.Values{"search_path": {schema}}.Encode(),
	}
	return u.String()
}

// SQL does something by a URL, on a connection of its own, and returns the rows: their values as text, with | between.
func (p *Postgres) SQL(at, statement string) (lines []string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, at)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	results, err := conn.PgConn().Exec(ctx, statement).ReadAll()
	for _, r := range results {
		for _, row := range r.Rows {
			lines = append(lines, string(bytes.Join(row, []byte("|"))))
		}
	}
	return lines, err
}
