package testkit

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"
)

//go:embed scenarios/*.xml
var scenarioFiles embed.FS

// KeysByRTP and KeysByINFO are how a sipp caller presses keys.
const (
	KeysByRTP  = "rtp"  // telephone-events (RFC 4733)
	KeysByINFO = "info" // SIP INFO with application/dtmf-relay
)

// SippCaller says what a caller does.
type SippCaller struct {
	// To is host:port of the server, Number what is dialled, From the caller's number; of several Calls each has its
	// own, if From has [call_number] in it.
	To, Number, From string
	// Calls is how many calls it makes, 0 is one; each begins Every after the one before, whatever becomes of that.
	Calls int
	Every time.Duration
	// Transport is udp (also when empty) or tcp.
	Transport string
	// Expect is the final status of a call that is refused; 0: it is answered.
	Expect int
	// OnlyG729: it offers a codec that nobody here speaks, and no other.
	OnlyG729 bool
	// Cancels: it gives up CancelAfter after the first 180.
	Cancels     bool
	CancelAfter time.Duration
	// Keys are pressed once answered, each KeyEvery (1 s, if 0) after the one before, the first so
	// long after the ACK; by KeysByRTP, also when empty, or KeysByINFO.
	Keys     string
	KeyEvery time.Duration
	KeysBy   string
	// Tone is the frequency sent, in hertz; 0: no audio is sent but keys.
	Tone int
	// HangUpAfter is how long after the last INFO, or the ACK, the caller hangs up; 0: it waits for
	// the other side to.
	HangUpAfter time.Duration
	// Pcap is made of Tone and Keys.
	Pcap string
}

// InfoKeys are the keys to press by INFO, for the scenario.
func (c SippCaller) InfoKeys() []string {
	if c.KeysBy != KeysByINFO {
		return nil
	}
	return strings.Split(c.Keys, "")
}

// SippAgent says what a telephone does that is called.
type SippAgent struct {
	// User and Password to register with; Registrar is host:port, and empty for none.
	User, Password, Registrar string
	// Transport is udp (also when empty) or tcp. A phone that registers does so over UDP: over TCP
	// its connection would end with the registration.
	Transport string
	// After is how long it rings before it answers or refuses.
	After time.Duration
	// Refuse is the status it refuses with; 0: it answers.
	Refuse int
	// RingsOn: it neither answers nor refuses, and waits for CANCEL.
	RingsOn bool
	// Crosses: it answers only when CANCEL has come, so that its 200 and the CANCEL are seen to cross
	// (RFC 3261 section 9.1), and expects ACK and BYE.
	Crosses bool
	// Tone is the frequency sent once answered, in hertz; 0: no audio.
	Tone int
	// Calls is how many calls it takes before it is done; 0 is one.
	Calls int
	// Pcap is made of Tone.
	Pcap string
}

// Sipp is a running sipp. Its methods may be called from any goroutine.
type Sipp struct {
	// Port is its SIP port, MediaPort where it sends and receives audio.
	Port, MediaPort int

	tb      testing.TB
	dir     string
	process *process
}

// StartCaller starts a caller; the call is on its way when it returns.
func StartCaller(tb testing.TB, c SippCaller) *Sipp {
	tb.Helper()
	s := newSipp(tb)
	if c.KeyEvery == 0 {
		c.KeyEvery = time.Second
	}
	script := RTPScript{Tone: c.Tone, Length: toneSeconds * time.Second}
	if c.KeysBy != KeysByINFO {
		for i, key := range []byte(c.Keys) {
			script.Keys = append(script.Keys, KeyPress{At: time.Duration(i+1) * c.KeyEvery, Key: key})
		}
	}
	if c.Tone != 0 || len(script.Keys) > 0 {
		c.Pcap = s.writePcap(script)
	}
	args := []string{"-m", fmt.Sprint(max(c.Calls, 1)), c.To}
	if c.Every > 0 {
		args = append([]string{"-r", "1", "-rp", fmt.Sprint(c.Every.Milliseconds())}, args...)
	}
	s.start("caller", c.Transport, c, args...)
	return s
}

// StartAgent starts a telephone, registered if it has a registrar, and returns when it can be called.
func StartAgent(tb testing.TB, a SippAgent) *Sipp {
	tb.Helper()
	s := newSipp(tb)
	if a.Tone != 0 {
		a.Pcap = s.writePcap(RTPScript{Tone: a.Tone, Length: toneSeconds * time.Second})
	}
	if a.Registrar != "" {
		s.start("register", overUDP, a, "-m", "1", a.Registrar)
		if code := s.process.code(); code != 0 {
			tb.Fatalf("register %s: sipp ended with %d\n%s", a.User, code, s.Messages())
		}
	}
	s.start("agent", a.Transport, a, "-m", fmt.Sprint(max(a.Calls, 1)))
	Within(tb, Patience, "sipp to listen", func() bool { return bound(tb, orElse(a.Transport, overUDP), s.Port) })
	return s
}

// StartOwnCaller starts sipp's own caller, the scenario that it has built in, for a number of calls at so many a second
// to user@to, each of them hung up lasting after its ACK.
func StartOwnCaller(tb testing.TB, scenario, user, to string, calls, rate int, lasting time.Duration) *Sipp {
	tb.Helper()
	s := newSipp(tb)
	s.run(scenario, overUDP, "-sn", scenario, "-s", user, "-m", fmt.Sprint(calls), "-r", fmt.Sprint(rate),
		"-d", fmt.Sprint(lasting.Milliseconds()), to)
	return s
}

// StartOwnAgent registers a telephone and answers its calls with sipp's own scenario.
func StartOwnAgent(tb testing.TB, scenario, registrar, user, password string, calls int) *Sipp {
	tb.Helper()
	s := newSipp(tb)
	s.start("register", overUDP, SippAgent{User: user, Password: password, Registrar: registrar}, "-m", "1", registrar)
	if code := s.process.code(); code != 0 {
		tb.Fatalf("register %s: sipp ended with %d\n%s", user, code, s.Messages())
	}
	s.run(scenario, overUDP, "-sn", scenario, "-m", fmt.Sprint(calls))
	Within(tb, Patience, "sipp to listen", func() bool { return bound(tb, overUDP, s.Port) })
	return s
}

// sippMediaOffset is where a sipp's media is in its block of ports; its control port is in between.
const (
	sippControlOffset = 2
	sippMediaOffset   = 4
)

func newSipp(tb testing.TB) *Sipp {
	tb.Helper()
	Require(tb, "sipp")
	first := FreePorts(tb, 10)
	return &Sipp{Port: first, MediaPort: first + sippMediaOffset, tb: tb, dir: tb.TempDir()}
}

// start runs one scenario.
func (s *Sipp) start(scenario, transport string, data any, args ...string) {
	s.tb.Helper()
	file := filepath.Join(s.dir, scenario+".xml")
	f, err := os.Create(file)
	if err != nil {
		s.tb.Fatalf("write a scenario: %v", err)
	}
	t := template.New("").Funcs(template.FuncMap{"add": func(a, b int) int { return a + b }})
	t = template.Must(t.ParseFS(scenarioFiles, "scenarios/common.xml", "scenarios/"+scenario+".xml"))
	err = t.ExecuteTemplate(f, scenario+".xml", data)
	if err = errors.Join(err, f.Close()); err != nil {
		s.tb.Fatalf("write scenario %s: %v", scenario, err)
	}
	s.run(scenario, transport, append([]string{"-sf", file}, args...)...)
}

// run runs sipp on the ports that are its own.
func (s *Sipp) run(scenario, transport string, args ...string) {
	s.tb.Helper()
	mode := "u1"
	if transport == overTCP {
		mode = "t1"
	}
	args = append([]string{
		"-t", mode, "-i", localhost, "-p", fmt.Sprint(s.Port), "-bind_local",
		"-mi", localhost, "-mp", fmt.Sprint(s.MediaPort), "-cp", fmt.Sprint(s.Port + sippControlOffset),
		"-trace_msg", "-message_file", s.log("messages"), "-trace_err", "-error_file", s.log("errors"),
		"-aa", "-nostdin", "-timeout", "170s", "-timeout_error",
	}, args...)
	cmd := exec.Command("sipp", args...) //nolint:noctx // cleanup ends it by its group
	cmd.Dir = s.dir
	s.process = startProcess(s.tb, "sipp "+scenario, cmd)
	s.tb.Cleanup(func() {
		if s.tb.Failed() {
			s.tb.Logf("--- sipp %s's messages:\n%s%s", scenario, tail(s.Messages(), 20_000), s.read("errors"))
		}
	})
}

func (s *Sipp) log(name string) string { return filepath.Join(s.dir, name+".log") }

// writePcap writes a script for play_pcap_audio, which needs raw sockets.
func (s *Sipp) writePcap(script RTPScript) string {
	s.tb.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_UDP)
	if err != nil {
		skip(s.tb, "needs the right to raw sockets, for sipp to send audio: "+err.Error())
	}
	if err := syscall.Close(fd); err != nil {
		s.tb.Fatalf("close a raw socket: %v", err)
	}
	file := filepath.Join(s.dir, "audio.pcap")
	script.WritePcap(s.tb, file)
	return file
}

// Wait waits until it has done its calls and returns its exit code: 0 when all went as expected, 1
// when one did not.
func (s *Sipp) Wait() int {
	s.tb.Helper()
	return s.process.code()
}

// Vanish kills it: it says nothing to anybody any more.
func (s *Sipp) Vanish() { s.process.stop(syscall.SIGKILL) }

// Messages are the SIP messages sent and received so far.
func (s *Sipp) Messages() string { return s.read("messages") }

func (s *Sipp) read(name string) string {
	b, err := os.ReadFile(s.log(name))
	if err != nil {
		return "" // nothing yet
	}
	return string(b)
}
