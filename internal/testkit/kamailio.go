package testkit

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"text/template"
)

//go:embed kamailio.cfg.tmpl
var kamailioConfig string

// kamailioModules are where distributions keep Kamailio's modules.
const kamailioModules = "/usr/lib/x86_64-linux-gnu/kamailio/modules:/usr/lib/aarch64-linux-gnu/kamailio/modules:/usr/lib64/kamailio/modules"

// Kamailio is an edge proxy in front of a hotline: phones and trunks speak to it, and it stays in every dialog by
// Record-Route. Its Addr is what they are to take for the hotline.
type Kamailio struct {
	Addr string // host:port, UDP
	Port int

	process *process
}

// StartKamailio starts a proxy before a hotline (host:port), and returns when it listens. It is ended with the test.
func StartKamailio(tb testing.TB, hotline string) *Kamailio {
	tb.Helper()
	Require(tb, "kamailio")
	k := &Kamailio{Port: FreePorts(tb, 1)}
	k.Addr = fmt.Sprintf("127.0.0.1:%d", k.Port)
	dir := tb.TempDir()
	file := filepath.Join(dir, "kamailio.cfg")
	f, err := os.Create(file)
	if err != nil {
		tb.Fatalf("write kamailio's configuration: %v", err)
	}
	t := template.Must(template.New("kamailio.cfg").Parse(kamailioConfig))
	err = t.Execute(f, map[string]any{"Port": k.Port, "Hotline": hotline, "Modules": kamailioModules})
	if cerr := f.Close(); err != nil || cerr != nil {
		tb.Fatalf("write kamailio's configuration: %v, %v", err, cerr)
	}
	// -DD keeps it in the foreground with its children in its group; -m and -M are MiB of memory.
	cmd := exec.Command("kamailio", "-DD", "-E", "-f", file, "-Y", dir, "-m", "64", "-M", "8") //nolint:noctx // cleanup ends it by its group
	k.process = startProcess(tb, "kamailio", cmd)
	Within(tb, Patience, "kamailio to listen", func() bool { return bound(tb, overUDP, k.Port) })
	return k
}
