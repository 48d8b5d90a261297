package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// benchRedis is the Redis that a bench uses: one of its own, or one that it was told of.
type benchRedis struct {
	url    string // for hotline's own code
	addr   string // to ask it what it has used; empty where there is none to ask so
	user   *url.Userinfo
	cmd    *exec.Cmd // nil: somebody else's
	folder string
}

// redisWait bounds how long a Redis of one's own takes to serve, and any Redis to answer.
const redisWait = 5 * time.Second

// openBenchRedis takes what --state says: "redis" for one of its own, or a URL.
func openBenchRedis(ctx context.Context, state string) (*benchRedis, error) {
	if state == "redis" {
		return startBenchRedis(ctx)
	}
	u, err := url.Parse(state)
	if err != nil || u.Scheme == "" {
		return nil, errors.New("--state: neither redis nor the URL of one, such as redis://127.0.0.1:6379") // it may hold a password
	}
	r := &benchRedis{url: state}
	if u.Scheme == "redis" { // with TLS, or where there are several, what it uses is not asked for
		r.addr, r.user = u.Host, u.User
		if u.Port() == "" {
			r.addr = net.JoinHostPort(u.Hostname(), "6379")
		}
	}
	return r, nil
}

// startBenchRedis starts a redis-server on a free port of loopback, which keeps nothing.
func startBenchRedis(ctx context.Context) (*benchRedis, error) {
	folder, err := os.MkdirTemp("", "hotline-bench-redis-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for Redis: %w", err)
	}
	r := &benchRedis{folder: folder}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("find a port for Redis: %w", err), r.close())
	}
	r.addr = l.Addr().String()
	r.url = "redis://" + r.addr
	_, port, _ := net.SplitHostPort(r.addr)
	if err := l.Close(); err != nil {
		return nil, errors.Join(fmt.Errorf("find a port for Redis: %w", err), r.close())
	}
	r.cmd = exec.CommandContext(ctx, "redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", folder, "--save", "",
		"--appendonly", "no", "--maxmemory-policy", "noeviction", "--daemonize", "no")
	if err := r.cmd.Start(); err != nil {
		r.cmd = nil
		return nil, errors.Join(fmt.Errorf("start redis-server (install it, or name one by --state redis://…): %w", err), r.close())
	}
	for deadline := time.Now().Add(redisWait); ; {
		said, err := r.ask(ctx, "PING")
		if err == nil && strings.Contains(said, "PONG") {
			return r, nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return nil, errors.Join(fmt.Errorf("redis-server does not serve at %s: %w", r.addr, err), r.close())
		}
		pause(ctx, 20*time.Millisecond)
	}
}

// close ends a server of one's own.
func (r *benchRedis) close() (err error) {
	if r.cmd != nil {
		err = errors.Join(r.cmd.Process.Kill(), ignoreExit(r.cmd.Wait()))
	}
	if r.folder != "" {
		err = errors.Join(err, os.RemoveAll(r.folder))
	}
	return err
}

// ignoreExit: that it was killed is what was wanted.
func ignoreExit(err error) error {
	if _, exited := errors.AsType[*exec.ExitError](err); exited {
		return nil
	}
	return err
}

// ask has the server do a command that has one answer, and returns that.
func (r *benchRedis) ask(ctx context.Context, command string) (said string, err error) {
	ctx, cancel := context.WithTimeout(ctx, redisWait)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.addr)
	if err != nil {
		return "", fmt.Errorf("connect to Redis: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.SetDeadline(time.Now().Add(redisWait)); err != nil {
		return "", fmt.Errorf("ask Redis: %w", err)
	}
	in := bufio.NewReader(conn)
	if r.user != nil {
		if _, err := redisDo(conn, in, r.credentials()...); err != nil {
			return "", err
		}
	}
	return redisDo(conn, in, strings.Fields(command)...)
}

// credentials is the AUTH command.
func (r *benchRedis) credentials() []string {
	password, _ := r.user.Password()
	if r.user.Username() == "" {
		return []string{"AUTH", password}
	}
	return []string{"AUTH", r.user.Username(), password}
}

// redisDo sends a command, as an array of bulk strings, and reads an answer that is a simple or bulk string (RESP2).
func redisDo(out io.Writer, in *bufio.Reader, args ...string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return "", fmt.Errorf("ask Redis: %w", err)
	}
	line, err := in.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("read Redis' answer: %w", err)
	}
	kind, rest := line[0], strings.TrimRight(line[1:], "\r\n")
	switch kind {
	case '+':
		return rest, nil
	case '$':
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 || n > 1<<20 {
			return "", fmt.Errorf("redis answered %s with a string of %q octets", args[0], rest)
		}
		text := make([]byte, n+2)
		if _, err := io.ReadFull(in, text); err != nil {
			return "", fmt.Errorf("read Redis' answer: %w", err)
		}
		return string(text[:n]), nil
	case '-':
		return "", fmt.Errorf("redis refused %s: %s", args[0], rest)
	default:
		return "", fmt.Errorf("redis answered %s with what is no string", args[0])
	}
}

// cpu is the CPU time that the server has used; false when it cannot be asked.
func (r *benchRedis) cpu(ctx context.Context) (used time.Duration, ok bool) {
	if r.addr == "" {
		return 0, false
	}
	said, err := r.ask(ctx, "INFO cpu")
	if err != nil {
		return 0, false
	}
	found := 0
	for line := range strings.Lines(said) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name != "used_cpu_sys" && name != "used_cpu_user" {
			continue
		}
		s, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, false
		}
		used += time.Duration(s * float64(time.Second))
		found++
	}
	return used, found == 2
}
