package testkit

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Redis is a redis-server of a test's own, on a port and in a folder of its own. It keeps nothing on the disk: started
// again it is empty. Its methods may be called from any goroutine.
type Redis struct {
	Port int
	// CA is the file with the certificate of whoever signed the server's, if it has TLS.
	CA string

	lines  []string // of its configuration
	dir    string
	tls    *tls.Config
	user   string // who may do everything
	secret string
	flags  []string // of the program

	mu      sync.Mutex
	running *process
}

// RedisPassword is that of the server's all-powerful user, where a password is wanted.
const RedisPassword = "only-for-tests"

// RedisOption is how a server differs from one that is reached by its port alone.
type RedisOption func(testing.TB, *Redis)

// RedisTLS has it speak TLS alone, by a certificate for 127.0.0.1.
func RedisTLS(tb testing.TB, r *Redis) {
	tb.Helper()
	cert := newCertificate(tb, r.dir)
	r.CA = cert.ca
	text, err := os.ReadFile(cert.ca)
	if err != nil {
		tb.Fatalf("read the CA: %v", err)
	}
	r.tls = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	r.tls.RootCAs.AppendCertsFromPEM(text)
	r.lines = append(r.lines, "port 0", fmt.Sprintf("tls-port %d", r.Port), "tls-cert-file "+cert.cert,
		"tls-key-file "+cert.key, "tls-ca-cert-file "+cert.ca, "tls-auth-clients no")
}

// RedisUsers has the default user off, and these instead (ACL SETUSER's words, a user each), besides the all-powerful one
// of this kit.
func RedisUsers(users ...string) RedisOption {
	return func(_ testing.TB, r *Redis) {
		r.user, r.secret = "testkit", RedisPassword
		r.lines = append(r.lines, "user default off", "user testkit on >"+RedisPassword+" ~* &* +@all")
		for _, u := range users {
			r.lines = append(r.lines, "user "+u)
		}
	}
}

// RedisCluster has it be a Cluster of one.
func RedisCluster(_ testing.TB, r *Redis) {
	r.lines = append(r.lines, "cluster-enabled yes", "cluster-announce-ip 127.0.0.1", fmt.Sprintf("cluster-port %d", r.Port+1))
}

// RedisReplicaOf has it copy another.
func RedisReplicaOf(of *Redis) RedisOption {
	return func(_ testing.TB, r *Redis) {
		r.lines = append(r.lines, fmt.Sprintf("replicaof 127.0.0.1 %d", of.Port))
	}
}

// RedisSentinel has it be a sentinel that watches a server, and fails over to its replica once that has been silent for
// half a second.
func RedisSentinel(master string, of *Redis) RedisOption {
	return func(_ testing.TB, r *Redis) {
		r.flags = []string{"--sentinel"}
		r.lines = append(r.lines, fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 1", master, of.Port),
			"sentinel down-after-milliseconds "+master+" 500", "sentinel failover-timeout "+master+" 3000")
	}
}

// StartRedis starts a server and returns when it serves; it is ended with the test, and nothing stays of it.
func StartRedis(tb testing.TB, options ...RedisOption) *Redis {
	tb.Helper()
	Require(tb, "redis-server")
	r := &Redis{Port: FreePorts(tb, 2), dir: tb.TempDir()}
	for _, o := range options {
		o(tb, r)
	}
	r.Start(tb)
	return r
}

// Start starts the server again, empty, and returns when it serves.
func (r *Redis) Start(tb testing.TB) {
	tb.Helper()
	lines := []string{"bind 127.0.0.1", "dir " + r.dir, "daemonize no"}
	if len(r.flags) == 0 {
		lines = append(lines, `save ""`, "appendonly no", "maxmemory-policy noeviction", "repl-diskless-sync-delay 0")
	}
	if r.tls == nil {
		lines = append(lines, fmt.Sprintf("port %d", r.Port))
	}
	// A sentinel, and a member of a Cluster, write what they know: not twice.
	for _, old := range []string{"redis.conf", "nodes.conf"} {
		if err := os.Remove(filepath.Join(r.dir, old)); err != nil && !os.IsNotExist(err) {
			tb.Fatalf("remove what redis kept: %v", err)
		}
	}
	conf := filepath.Join(r.dir, "redis.conf")
	if err := os.WriteFile(conf, []byte(strings.Join(append(lines, r.lines...), "\n")+"\n"), 0o600); err != nil {
		tb.Fatalf("configure redis: %v", err)
	}
	p := startProcess(tb, "redis-server", exec.Command("redis-server", append([]string{conf}, r.flags...)...)) //nolint:noctx // ended by the test
	r.mu.Lock()
	r.running = p
	r.mu.Unlock()
	tb.Cleanup(r.Resume) // before it is ended: one that is stopped does not hear of it
	Within(tb, Patience, "redis to serve", func() bool {
		_, err := r.Try("PING")
		return err == nil
	})
	if strings.Contains(strings.Join(r.lines, "\n"), "cluster-enabled") {
		r.Do(tb, "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
		Within(tb, Patience, "the cluster to be whole", func() bool {
			said, err := r.Try("CLUSTER", "INFO")
			return err == nil && strings.Contains(fmt.Sprint(said), "cluster_state:ok")
		})
	}
}

// Kill ends it by SIGKILL, and waits. What it held is lost.
func (r *Redis) Kill() {
	if p := r.process(); p != nil {
		p.signal(syscall.SIGKILL)
		<-p.exited
	}
}

// Empty has it killed and started again: it has lost everything.
func (r *Redis) Empty(tb testing.TB) {
	tb.Helper()
	r.Kill()
	r.Start(tb)
}

// Pause stops it as it stands (SIGSTOP): connections stay open, and nothing answers. Resume has it go on.
func (r *Redis) Pause() {
	if p := r.process(); p != nil {
		p.signal(syscall.SIGSTOP)
	}
}

// Resume has it go on after Pause.
func (r *Redis) Resume() {
	if p := r.process(); p != nil {
		p.signal(syscall.SIGCONT)
	}
}

func (r *Redis) process() *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running
}

// Addr is where it listens.
func (r *Redis) Addr() string {
	return net.JoinHostPort(net.IPv4(127, 0, 0, 1).String(), strconv.Itoa(r.Port))
}

// URL is how hotline is told of it: for its all-powerful user, if it has users.
func (r *Redis) URL() string {
	u := url.URL{Scheme: "redis", Host: r.Addr()}
	if r.tls != nil {
		u.Scheme = "rediss"
	}
	if r.user != "" {
		u.User = url.UserPassword(r.user, r.secret)
	}
	return u.String()
}

// Try has the server do a command, on a connection of its own.
func (r *Redis) Try(args ...any) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	client := redis.NewClient(&redis.Options{
		Addr: r.Addr(), Username: r.user, Password: r.secret, TLSConfig: r.tls, Protocol: 2, DisableIdentity: true, MaxRetries: -1,
	})
	said, err := client.Do(ctx, args...).Result()
	if closed := client.Close(); err == nil && closed != nil {
		return nil, fmt.Errorf("close the connection: %w", closed)
	}
	return said, err
}

// Do is Try that must succeed.
func (r *Redis) Do(tb testing.TB, args ...any) any {
	tb.Helper()
	said, err := r.Try(args...)
	if err != nil {
		tb.Fatalf("redis: %v: %v", args, err)
	}
	return said
}
