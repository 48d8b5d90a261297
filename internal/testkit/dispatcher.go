package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// DispatcherConfig is where the file is that dispatchers run, in the module.
const DispatcherConfig = "deploy/kamailio/kamailio.cfg"

// Dispatcher is the proxy of deploy/kamailio before several hotlines, as it stands there.
type Dispatcher struct {
	Addr string // host:port, UDP and TCP
	Port int

	tb      testing.TB
	process *process
}

// StartDispatcher starts it before nodes (host:port), and returns when it listens. 127.0.0.1 is a carrier,
// and nobody else. It is ended with the test.
func StartDispatcher(tb testing.TB, nodes ...string) *Dispatcher {
	tb.Helper()
	Require(tb, "kamailio")
	d := &Dispatcher{Port: FreePorts(tb, 1), tb: tb}
	d.Addr = fmt.Sprintf("127.0.0.1:%d", d.Port)
	dir := tb.TempDir()
	var list strings.Builder
	for _, n := range nodes {
		fmt.Fprintf(&list, "1 sip:%s 8\n2 sip:%s 0\n", n, n)
	}
	define := func(name, value string) string { return fmt.Sprintf("%s=%s", name, value) }
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), configPermission); err != nil {
			tb.Fatalf("write %s of the dispatcher: %v", name, err)
		}
		return fmt.Sprintf("%q", path)
	}
	cmd := exec.Command("kamailio", "-DD", "-E", "-f", filepath.Join(Module(tb), DispatcherConfig), //nolint:noctx // cleanup ends it by its group
		"-L", kamailioModules, "-Y", dir, "-m", "64", "-M", "8",
		"-A", define("LISTEN", "udp:"+d.Addr), "-A", define("LISTEN_TCP", "tcp:"+d.Addr),
		"-A", define("NODES", file("dispatcher.list", list.String())),
		"-A", define("TRUNKS", file("address.list", "1 127.0.0.1 32 0\n")),
		"-A", define("PING_EVERY", "1"), "-A", define("CHILDREN", "2"),
	)
	d.process = startProcess(tb, "kamailio", cmd)
	Within(tb, Patience, "kamailio to listen", func() bool {
		return bound(tb, overUDP, d.Port) && bound(tb, overTCP, d.Port)
	})
	return d
}

// Out waits until the last that it told of a node is that it is out of rotation, In that it is back: it may tell the
// same twice, by a call that failed and by a ping. Its output comes through a pipe, so a little after what it tells.
func (d *Dispatcher) Out(node string) {
	d.tb.Helper()
	d.told("node out of rotation: sip:"+node, "node in rotation: sip:"+node)
}

// In is the other way round.
func (d *Dispatcher) In(node string) {
	d.tb.Helper()
	d.told("node in rotation: sip:"+node, "node out of rotation: sip:"+node)
}

func (d *Dispatcher) told(what, before string) {
	d.tb.Helper()
	Within(d.tb, Patience, what, func() bool {
		said := d.process.output.String()
		return strings.LastIndex(said, what+"\n") > strings.LastIndex(said, before+"\n")
	})
}
