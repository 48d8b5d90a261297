package testkit

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"text/template"
)

//go:embed carrier.cfg.tmpl
var carrierConfig string

// CarrierOptions describe a carrier with one account.
type CarrierOptions struct {
	// Account and Password are what its holder registers and calls by.
	Account, Password string
	// Algorithm of its challenges: MD5 (the default) or SHA-256.
	Algorithm string
	// Expires is the longest that it lets a registration last, in seconds; 0 is 3600.
	Expires int
	// Outside is host:port of who answers what the account's holder calls.
	Outside string
	// Certificate and Key are files (PEM) to listen for TLS with, at the port of UDP; both empty: it does not. Who registers over
	// TLS is called over the connection of that, and no other is made.
	Certificate, Key string
	// TCP: it takes connections at the port of UDP too. Not with a Certificate, whose listener has that port.
	TCP bool
}

// Carrier is a Kamailio that a hotline registers to, and calls through. Calls to numbers that begin with 96 go to where
// the account is registered. What is registered is in its memory alone.
type Carrier struct {
	Addr string // host:port, UDP, and TLS where it has a certificate, or TCP
	Port int

	tb      testing.TB
	stream  bool // it listens for TLS or TCP
	dir     string
	process *process
}

// StartCarrier starts a carrier, and returns when it listens. It is ended with the test.
func StartCarrier(tb testing.TB, o CarrierOptions) *Carrier {
	tb.Helper()
	Require(tb, "kamailio")
	if o.Certificate != "" {
		requireModule(tb, "tls.so", "kamailio-tls-modules")
	}
	c := &Carrier{Port: FreePorts(tb, 1), tb: tb, stream: o.TCP || o.Certificate != "", dir: tb.TempDir()}
	c.Addr = fmt.Sprintf("127.0.0.1:%d", c.Port)
	const hour = 3600
	if o.Expires == 0 {
		o.Expires = hour
	}
	f, err := os.Create(c.config())
	if err != nil {
		tb.Fatalf("write the carrier's configuration: %v", err)
	}
	t := template.Must(template.New("carrier.cfg").Parse(carrierConfig))
	err = t.Execute(f, map[string]any{
		"Port": c.Port, "Modules": kamailioModules, "Account": o.Account, "Password": o.Password,
		"Algorithm": orElse(o.Algorithm, "MD5"), "Expires": o.Expires, "Outside": orElse(o.Outside, c.Addr),
		"Certificate": o.Certificate, "Key": o.Key, "TCP": o.TCP,
	})
	if cerr := f.Close(); err != nil || cerr != nil {
		tb.Fatalf("write the carrier's configuration: %v, %v", err, cerr)
	}
	c.Start()
	return c
}

func (c *Carrier) config() string { return filepath.Join(c.dir, "carrier.cfg") }

// Start starts it again once it was killed, at the same address, without any memory of before.
func (c *Carrier) Start() {
	c.tb.Helper()
	cmd := exec.Command("kamailio", "-DD", "-E", "-f", c.config(), "-Y", c.dir, "-m", "64", "-M", "8") //nolint:noctx // cleanup ends it by its group
	c.process = startProcess(c.tb, "kamailio", cmd)
	Within(c.tb, Patience, "the carrier to listen", func() bool {
		return bound(c.tb, overUDP, c.Port) && (!c.stream || bound(c.tb, overTCP, c.Port))
	})
}

// requireModule is Require for a module of Kamailio's that is in a package of its own.
func requireModule(tb testing.TB, name, pkg string) {
	tb.Helper()
	for dir := range strings.SplitSeq(kamailioModules, ":") {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return
		}
	}
	skip(tb, "needs "+pkg)
}

// Kill ends it as a loss of power does.
func (c *Carrier) Kill() { c.process.stop(syscall.SIGKILL) }
