package testkit

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// HotlineOptions say what hotline to start.
type HotlineOptions struct {
	// YAML is the configuration but for the keys sip, media, http and data, which a Hotline sets.
	// Empty: the trunk and agents of the reference hotline, everything else by default.
	YAML string
	// Race builds it with the race detector, whose reports end it with exit code 66. Figures are only
	// to be compared without.
	Race bool
	// Ping is the interval of OPTIONS to agents' phones; empty is the default, 10s. A sipp that is to
	// take a number of calls counts a ping as one: with StartAgent it is "10m".
	Ping string
	// T1 is the estimate of a round trip that all its timers follow; 0 is the default, 500 ms.
	T1 time.Duration
	// TryingAtOnce: every INVITE of a new call is answered 100 at once, and not only one that nothing else is
	// sent to for a while.
	TryingAtOnce bool
	// MediaPorts is how many ports RTP may use; 0 is 100.
	MediaPorts int
	// MediaTimeout is how long nothing may be heard on a leg, such as "2s"; empty is the default, 20s.
	MediaTimeout string
	// Wall has all audio pass a Wall, which can lose it.
	Wall bool
	// NoRest lets RTP use a port again at once, for many short calls.
	NoRest bool
	// MaxCalls is how many calls may be in at once; 0 is the default.
	MaxCalls int
	// Overload is what sip.overload is, such as "{lag: 20ms}"; empty: no limit, since a machine on which many tests run at
	// once is overloaded by them, and not by the one that would be refused.
	Overload string
	// Expires is how long a registration lasts, such as "4s", whatever a phone asks for; empty is the default.
	Expires string
	// Data is the data folder; empty: one that goes with the test.
	Data string
	// Records is the URL of a PostgreSQL database; empty: records are in a file.
	Records string
	// Certificate and Key are files (PEM) to serve TLS with; empty: it listens for none.
	Certificate, Key string
	// Origin is the site whose pages may be phones, such as http://127.0.0.1:8000, over TLS too if there is a Certificate;
	// empty: no page may.
	Origin string
	// Host is the address that it listens on; empty is 127.0.0.1, where all tests are. Another is of this test alone, in
	// 127.0.0.0/8 or of a network that it made, and MediaPorts may be more than a block then.
	Host string
	// IPv6: it listens on ::1, and nowhere else.
	IPv6 bool
	// Also are further addresses at whose SIPPort it listens by UDP and TCP, and by which it is known there; "::" is all of IPv6,
	// and known by ::1. Audio is then bound at [::], and told of by Host where nothing else is known.
	Also []string
	// Home is the network where it runs, at Host; nil is this machine's.
	Home *Network
	// Public is a further listener of UDP, HOST:PORT, that is known by Advertise, HOST:PORT too, as who is on the other side of a
	// router knows it; both empty: there is none. Audio is then bound at 0.0.0.0, and told of by Advertise's host where nothing
	// else is known.
	Public, Advertise string
}

// referencePeople are the parts of the reference hotline that are no defaults.
const referencePeople = `
trunks:
  - name: city
    allow: [127.0.0.0/8]
    numbers: {"96777": {menu: main}, "96119": {queue: gas-alarm}}
agents:
  - {id: "8001", name: 张敏, password: one,   skills: {consult: 5, complaint: 3}}
  - {id: "8002", name: 李强, password: two,   skills: {repair: 5, gas-alarm: 3}}
  - {id: "8003", name: 王芳, password: three, skills: {gas-alarm: 5, repair: 3, consult: 1}}
  - {id: "8004", name: 赵磊, password: four,  skills: {complaint: 5, consult: 3}}
`

// token is the bearer token of tests.
const token = "a-token-of-the-tests"

// Hotline is the program, serving. Its methods may be called from any goroutine, but Start and Kill.
type Hotline struct {
	// SIP is host:port of its SIP listeners, UDP and TCP; HTTP of its pages; TLS of its SIP over TLS, WS of that
	// over WebSockets, and WSS of that over both, if asked for.
	SIP, HTTP, TLS, WS, WSS string
	// SIPPort is the port of SIP, and MediaPorts are those of RTP.
	SIPPort    int
	MediaPorts PortRange
	// Wall is what its audio passes, if that was asked for.
	Wall *Wall
	// Data is its data folder.
	Data string

	tb      testing.TB
	home    *Network
	binary  string
	config  string
	text    string // of the configuration
	process *process
	client  *http.Client
}

// Offsets in a hotline's block of ports.
const (
	httpOffset       = 1
	tlsOffset        = 2
	wsOffset         = 3
	wssOffset        = 4
	mediaOffset      = 10
	defaultMedia     = 100
	hostMedia        = 20000 // the first port for audio on an address of a test's own
	raceExitCode     = 66    // of Go's race detector
	configPermission = 0o600
)

// localhost is where the tests' servers and tools listen that need no address of their own.
const localhost = "127.0.0.1"

// localhost6 is it over IPv6, where anywhere6 is every address.
const (
	localhost6 = "::1"
	anywhere6  = "::"
)

// hostPort is HOST:PORT, an IPv6 address in brackets.
func hostPort(host string, port int) string { return net.JoinHostPort(host, fmt.Sprint(port)) }

// place is on which ports it listens, from the first on, and has its audio; Host is set.
func (o *HotlineOptions) place(tb testing.TB) (first, media int) {
	tb.Helper()
	if o.Host != "" {
		return FreePorts(tb, mediaOffset), hostMedia
	}
	o.Host = localhost
	if o.IPv6 {
		o.Host = localhost6
	}
	first = FreePorts(tb, mediaOffset+o.MediaPorts)
	return first, first + mediaOffset
}

// StartHotline starts a hotline on free ports of 127.0.0.1 with a data folder of its own, and returns
// when it is ready. If it is still running at the test's end it gets SIGTERM twice, and a test in
// which the race detector spoke fails.
func StartHotline(tb testing.TB, o HotlineOptions) *Hotline {
	tb.Helper()
	if o.MediaPorts == 0 {
		o.MediaPorts = defaultMedia
	}
	first, media := o.place(tb)
	dir := tb.TempDir()
	h := &Hotline{
		SIP: hostPort(o.Host, first), HTTP: hostPort(o.Host, first+httpOffset),
		SIPPort: first, MediaPorts: PortRange{media, media + o.MediaPorts - 1},
		Data: orElse(o.Data, filepath.Join(dir, "data")), config: filepath.Join(dir, "hotline.yaml"),
		tb: tb, home: o.Home, binary: HotlineBinary(tb, o.Race), client: &http.Client{Timeout: Patience},
	}
	if o.Home != nil {
		h.client.Transport = &http.Transport{DialContext: o.Home.dial}
	}
	tb.Cleanup(h.client.CloseIdleConnections)
	more := ", overload: " + orElse(o.Overload, "{lag: 0s, cpu: 0}")
	if o.MaxCalls > 0 {
		more += fmt.Sprintf(", max_calls: %d", o.MaxCalls)
	}
	if o.T1 > 0 {
		more += fmt.Sprintf(", t1: %s", o.T1)
	}
	if o.TryingAtOnce {
		more += ", trying_after: 0s"
	}
	if o.Expires != "" {
		more += fmt.Sprintf(", expires: {min: 1s, max: %s, default: %s}", o.Expires, o.Expires)
	}
	rest := ""
	if o.NoRest {
		rest = ", rest: 0s"
	}
	if o.MediaTimeout != "" {
		rest += ", timeout: " + o.MediaTimeout
	}
	if o.Wall {
		rest += ", advertise: " + wallHost
		h.Wall = startWall(tb, h.MediaPorts)
	}
	others := ""
	if o.Certificate != "" {
		h.TLS = hostPort(o.Host, first+tlsOffset)
		others = fmt.Sprintf(`, {address: "tls://%s", certificate: %s, key: %s}`, h.TLS, o.Certificate, o.Key)
	}
	if o.Origin != "" {
		h.WS = hostPort(o.Host, first+wsOffset)
		others += fmt.Sprintf(`, {address: "ws://%s", origins: ["%s"]}`, h.WS, o.Origin)
	}
	if o.Certificate != "" && o.Origin != "" {
		h.WSS = hostPort(o.Host, first+wssOffset)
		others += fmt.Sprintf(`, {address: "wss://%s", origins: ["%s"], certificate: %s, key: %s}`, h.WSS, o.Origin, o.Certificate, o.Key)
	}
	bound, told, listen := o.listens(tb, first)
	h.text = fmt.Sprintf(`sip: {listen: [%s%s], ping: %s%s}
media: {address: "%s", ports: %d-%d%s}
http: {listen: "%s", tokens: [{name: tests, role: supervisor, token: %s}]}
data: %s
%s`, listen, others, orElse(o.Ping, "10s"), more, bound, h.MediaPorts.First, h.MediaPorts.Last, rest+told, h.HTTP, token, h.Data, orElse(o.YAML, referencePeople))
	if o.Records != "" {
		h.text += "records: \"" + o.Records + "\"\n"
	}
	if err := os.WriteFile(h.config, []byte(h.text), configPermission); err != nil {
		tb.Fatalf("write the configuration: %v", err)
	}
	h.Start()
	return h
}

// listens is where audio is bound, what is told of it where that is another address, and the listeners of UDP and TCP, the first
// of them at a port.
func (o *HotlineOptions) listens(tb testing.TB, port int) (bound, told, listen string) {
	tb.Helper()
	listen = fmt.Sprintf(`"udp://%[1]s", "tcp://%[1]s"`, hostPort(o.Host, port))
	switch {
	case len(o.Also) > 0:
		return anywhere6, ", advertise: " + o.Host, knownBy(port, append([]string{o.Host}, o.Also...))
	case o.Public != "":
		host, _, err := net.SplitHostPort(o.Advertise)
		if err != nil {
			tb.Fatalf("what a public listener is known by: %v", err)
		}
		return "0.0.0.0", ", advertise: " + host, listen + fmt.Sprintf(`, {address: "udp://%s", advertise: "%s"}`, o.Public, o.Advertise)
	}
	return o.Host, "", listen
}

// knownBy are listeners by UDP and TCP at a port of hosts, each known by its own address.
func knownBy(port int, hosts []string) string {
	all := make([]string, 0, 2*len(hosts))
	for _, host := range hosts {
		advertise := host
		if host == anywhere6 {
			advertise = localhost6
		}
		for _, network := range []string{overUDP, overTCP} {
			all = append(all, fmt.Sprintf(`{address: "%s://%s", advertise: "%s"}`, network, hostPort(host, port), advertise))
		}
	}
	return strings.Join(all, ", ")
}

// Start starts it, or starts it again once it has ended, with the same configuration and data.
func (h *Hotline) Start() {
	h.tb.Helper()
	cmd := h.home.Command(h.binary, "serve", "--config", h.config, // cleanup ends it
		"--log-format", "json", "--log-level", "debug")
	cmd.Dir = filepath.Dir(h.config)
	p := startProcess(h.tb, "hotline", cmd)
	h.process = p
	h.tb.Cleanup(func() {
		p.signal(syscall.SIGTERM)
		p.signal(syscall.SIGTERM) // the second ends live calls at once
		if p.stop(syscall.SIGTERM); p.code() == raceExitCode {
			h.tb.Errorf("the race detector spoke:\n%s", tail(p.output.String(), 20_000))
		}
	})
	Within(h.tb, Patience, "the hotline to be ready", func() bool {
		select {
		case <-p.exited:
			h.tb.Fatalf("hotline ended with %d:\n%s", p.code(), tail(p.output.String(), 8000))
		default:
		}
		status, _, err := h.try("/readyz")
		return err == nil && status == http.StatusOK
	})
}

// Kill is kill -9, and waits for the end.
func (h *Hotline) Kill() { h.process.stop(syscall.SIGKILL) }

// Signal sends a signal; SIGTERM asks it to drain.
func (h *Hotline) Signal(sig syscall.Signal) { h.process.signal(sig) }

// ExitCode waits for it to end and returns its exit code, −1 if a signal ended it.
func (h *Hotline) ExitCode() int { return h.process.code() }

// Log is all that it has printed since Start.
func (h *Hotline) Log() string { return h.process.output.String() }

// AwaitLog waits until the log has a text: it comes through a pipe, so a little after what it tells.
func (h *Hotline) AwaitLog(text string) { h.tb.Helper(); h.process.await(h.tb, text) }

// Number is the SIP address of a number dialled.
func (h *Hotline) Number(number string) string { return "sip:" + number + "@" + h.SIP }

// Capture starts a capture of its ports. Its phones' traffic with it all passes there.
func (h *Hotline) Capture() *Capture {
	h.tb.Helper()
	return StartCapture(h.tb, []PortRange{{h.SIPPort, h.SIPPort}}, []PortRange{h.MediaPorts})
}

// Ready is whether /readyz says so: false while it drains, and once it has ended.
func (h *Hotline) Ready() bool {
	status, _, err := h.try("/readyz")
	return err == nil && status == http.StatusOK
}
