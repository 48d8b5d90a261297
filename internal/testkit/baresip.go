package testkit

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// BaresipOptions say what kind of telephone to start. The zero value is a phone of no registrar that
// has to be told to accept a call, and sends silence.
type BaresipOptions struct {
	// User is the name in its address; empty means "phone".
	User string
	// Password is its digest password.
	Password string
	// Registrar is host:port of the server it registers to and dials through; with Register it is
	// registered when StartBaresip returns. Empty: its own address.
	Registrar string
	Register  bool
	// RegisterFails: it tries to register, and was refused when StartBaresip returns.
	RegisterFails bool
	// Lasts is how long its registrations are to last, in seconds; it renews them a little before. 0 is 60.
	Lasts int
	// Transport is udp (also when empty), tcp, or tls, with which it believes any certificate.
	Transport string
	// Auto: it answers every call at once. Otherwise it rings until Accept or Hangup.
	Auto bool
	// Tone is the frequency it sends, in hertz; 0 is silence.
	Tone float64
	// DTMFMode is rtpevent (also when empty; RFC 4733) or info (SIP INFO).
	DTMFMode string
	// Codecs as baresip names them; empty means PCMA.
	Codecs string
	// Home, if not nil, is the network where it is, at Host; else it is on 127.0.0.1, or ::1 with IPv6.
	Home *Network
	Host string
	// Mux: it offers to have RTCP on the port of RTP.
	Mux bool
	// MediaEnc is how its audio is encrypted: srtp (offered beside RTP/AVP) or srtp-mand (RTP/SAVP or nothing); empty
	// is not at all.
	MediaEnc string
	// Certificate and Key are files (PEM) of what it shows who calls it by TLS; empty: something of its own.
	Certificate, Key string
	// Flows, two at most, has it register over several flows at once (RFC 5626): to each of these addresses of the server,
	// host:port;transport=… of its URI.
	Flows []string
	// IPv6: it knows no IPv4.
	IPv6 bool
}

// Baresip is a real softphone. Its methods may be called from any goroutine.
type Baresip struct {
	// URI is its own address, and Port the port of it.
	URI  string
	Port int
	// RTP are the ports its audio uses.
	RTP PortRange

	tb      testing.TB
	dir     string
	process *process
	control *control
	options BaresipOptions
}

// Offsets in a phone's block of ports. Baresip takes the port after its SIP port for TLS.
const (
	controlOffset = 5
	rtpOffset     = 10
	rtpPorts      = 40
)

// usualLasts is how long a phone registers for, in seconds.
const usualLasts = 60

// toneSeconds is how long a phone has something to say: longer than any test's call.
const toneSeconds = 120

// StartBaresip starts a phone and returns when it can be told what to do, and, if it is to register,
// when it is registered. It is ended with the test.
func StartBaresip(tb testing.TB, o BaresipOptions) *Baresip {
	tb.Helper()
	Require(tb, "baresip")
	first := FreePorts(tb, rtpOffset+rtpPorts)
	o.User = orElse(o.User, "phone")
	o.Transport = orElse(o.Transport, overUDP)
	if o.IPv6 {
		o.Host = orElse(o.Host, localhost6)
	}
	o.Host = orElse(o.Host, localhost)
	b := &Baresip{
		URI:  fmt.Sprintf("sip:%s@%s", o.User, hostPort(o.Host, first)),
		Port: first, RTP: PortRange{first + rtpOffset, first + rtpOffset + rtpPorts - 1},
		tb: tb, dir: tb.TempDir(), options: o,
	}
	b.writeFiles(first + controlOffset)
	// The phone lives as long as the test, not as a context: cleanup ends it by its group.
	cmd := o.Home.Command("baresip", "-f", b.dir)
	if o.IPv6 {
		cmd.Args = append(cmd.Args, "-6")
	}
	cmd.Env = append(os.Environ(), "HOME="+b.dir)
	b.process = startProcess(tb, "baresip "+o.User, cmd)
	b.process.await(tb, "baresip is ready")
	b.control = dialControl(tb, o.Home, fmt.Sprintf("127.0.0.1:%d", first+controlOffset))
	// Not the events: they may have passed before the control was connected.
	if o.Register {
		b.process.await(tb, "} 200 OK (")
	}
	if o.RegisterFails {
		b.process.await(tb, "reg: sip:") // and why; success is said otherwise
	}
	return b
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// writeFiles writes what baresip reads at its start.
func (b *Baresip) writeFiles(controlPort int) {
	b.tb.Helper()
	tone := filepath.Join(b.dir, "tx.wav")
	WriteTone(b.tb, tone, b.options.Tone, toneSeconds)
	if err := os.Mkdir(filepath.Join(b.dir, "rec"), 0o755); err != nil {
		b.tb.Fatalf("make baresip's folder: %v", err)
	}
	config := []string{
		"sip_listen " + b.Addr(),
		"net_interface " + b.options.Host, // the address: the name lo fails
		"audio_source aufile," + tone,
		fmt.Sprintf("rtp_ports %d-%d", b.RTP.First, b.RTP.Last),
		"module_path " + baresipModules(b.tb),
		"module g711.so", "module aufile.so", "module sndfile.so",
		"snd_path " + filepath.Join(b.dir, "rec"),
		"module srtp.so",
		"module_tmp uuid.so", "module_tmp account.so",
		"module_app menu.so", "module_app contact.so", "module_app ctrl_tcp.so",
		fmt.Sprintf("ctrl_tcp_listen 127.0.0.1:%d", controlPort),
	}
	if b.options.Certificate != "" {
		config = append(config, "sip_certificate "+b.shown())
	}
	if b.options.Mux {
		config = append(config, "rtcp_mux yes")
	}
	for name, text := range map[string]string{
		"config":   strings.Join(config, "\n"),
		"accounts": b.account(),
		"contacts": "",
	} {
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text+"\n"), 0o600); err != nil {
			b.tb.Fatalf("write baresip's %s: %v", name, err)
		}
	}
}

func (b *Baresip) account() string {
	o := b.options
	host := orElse(o.Registrar, b.Addr())
	parts := []string{
		fmt.Sprintf("<sip:%s@%s;transport=%s>", o.User, host, o.Transport),
		"audio_codecs=" + orElse(o.Codecs, "PCMA"),
		"dtmfmode=" + orElse(o.DTMFMode, "rtpevent"),
		"answermode=manual", "regint=0",
	}
	if o.Auto {
		parts[3] = "answermode=auto"
	}
	if o.Register || o.RegisterFails {
		parts[4] = fmt.Sprintf("regint=%d", cmp.Or(o.Lasts, usualLasts))
	}
	for i, name := range []string{"outbound", "outbound2"} {
		if i < len(o.Flows) {
			parts = append(parts, name+`="sip:`+o.Flows[i]+`"`)
		}
	}
	if len(o.Flows) > 0 {
		parts = append(parts, "sipnat=outbound")
	}
	if o.MediaEnc != "" {
		parts = append(parts, "mediaenc="+o.MediaEnc)
	}
	if o.Password != "" {
		parts = append(parts, "auth_user="+o.User, "auth_pass="+o.Password)
	}
	return strings.Join(parts, ";")
}

// baresipModules finds the folder of baresip's modules, which depends on the distribution.
func baresipModules(tb testing.TB) string {
	tb.Helper()
	for _, pattern := range []string{
		"/usr/lib/baresip/modules", "/usr/lib/*/baresip/modules", "/usr/local/lib/baresip/modules",
	} {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return found[0]
		}
	}
	skip(tb, "needs baresip's modules")
	return ""
}

// Dial calls a SIP address, and returns once the INVITE is on its way.
func (b *Baresip) Dial(uri string) { b.tb.Helper(); b.Command("dial", uri) }

// Accept answers the call that rings.
func (b *Baresip) Accept() { b.tb.Helper(); b.Command("accept", "") }

// Hangup ends the call, or refuses the one that rings.
func (b *Baresip) Hangup() { b.tb.Helper(); b.Command("hangup", "") }

// SendDigit presses a key for about a sixth of a second.
func (b *Baresip) SendDigit(key byte) { b.tb.Helper(); b.Command("sndcode", string(key)) }

// Command gives any command of baresip's menu ("hold", "resume", "reginfo") and returns its answer.
func (b *Baresip) Command(name, params string) string {
	b.tb.Helper()
	return b.control.command(b.tb, name, params)
}

// Await waits for the next event of one of the types after the last one awaited; those between are
// passed over. It fails the test after Patience.
func (b *Baresip) Await(types ...string) Event {
	b.tb.Helper()
	return b.control.await(b.tb, types...)
}

// Events are all events so far.
func (b *Baresip) Events() []Event { return b.control.all() }

// Hold puts the other side on hold (re-INVITE with sendonly), Resume takes it back.
func (b *Baresip) Hold() { b.tb.Helper(); b.Command("hold", "") }

// Resume is the end of Hold.
func (b *Baresip) Resume() { b.tb.Helper(); b.Command("resume", "") }

// Transfer hands the current call on to a URI, blind: it puts the call on hold first, as its keys do.
func (b *Baresip) Transfer(uri string) { b.tb.Helper(); b.Command("transfer", uri) }

// Quit ends it in good order: its call is hung up, its registration taken back.
func (b *Baresip) Quit() { b.process.stop(syscall.SIGTERM) }

// Vanish kills the phone: it says nothing to anybody any more, as when its cable is pulled.
func (b *Baresip) Vanish() { b.process.stop(syscall.SIGKILL) }

// Freeze stops it where it stands, as a phone does that hangs: nothing is sent, and nothing answered. It stays so.
func (b *Baresip) Freeze() { b.process.signal(syscall.SIGSTOP) }

// Heard is the WAV of what the phone heard in its last call, Said of what it said. Both are
// complete once the call is closed, which they wait for.
func (b *Baresip) Heard() string { b.tb.Helper(); return b.recording("dec") }

// Said is the other side of Heard.
func (b *Baresip) Said() string { b.tb.Helper(); return b.recording("enc") }

// recording waits until the newest file has the length its header says: sndfile writes the header
// when the call's audio is freed, just after the event that the call is closed.
func (b *Baresip) recording(side string) string {
	b.tb.Helper()
	newest := ""
	Within(b.tb, Patience, "recording of baresip "+b.options.User, func() bool {
		found, err := filepath.Glob(filepath.Join(b.dir, "rec", "dump-*-"+side+".wav"))
		if err != nil || len(found) == 0 {
			return false
		}
		newest = found[len(found)-1] // they are named by time, and sorted
		w, err := parseWAVFile(newest)
		return err == nil && w.complete
	})
	return newest
}

// shown is the file of its certificate and key, which it wants in one.
func (b *Baresip) shown() string {
	b.tb.Helper()
	file := filepath.Join(b.dir, "shown.pem")
	var both []byte
	for _, name := range []string{b.options.Certificate, b.options.Key} {
		data, err := os.ReadFile(name)
		if err != nil {
			b.tb.Fatalf("read what a baresip is to show: %v", err)
		}
		both = append(both, data...)
	}
	if err := os.WriteFile(file, both, 0o600); err != nil {
		b.tb.Fatalf("write what a baresip is to show: %v", err)
	}
	return file
}

// TLSPort is where it takes connections by TLS.
func (b *Baresip) TLSPort() int { return b.Port + 1 }

// Addr is the address of the phone's SIP socket.
func (b *Baresip) Addr() string { return hostPort(b.options.Host, b.Port) }
