package testkit

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// LinphonecOptions say what kind of linphonec to start.
type LinphonecOptions struct {
	// User, Password and Registrar (host:port) to register with; an empty Registrar is none.
	User, Password, Registrar string
	// Manual: it rings until Command("answer"). Otherwise it answers at once.
	Manual bool
	// Tone is the frequency it sends, in hertz; 0 is silence.
	Tone float64
	// DTMFMode is rtpevent (also when empty; RFC 4733), info (SIP INFO), or none: it has no telephone-events and
	// sends none of what SendDigit is told.
	DTMFMode string
	// Says is a file to send instead of Tone, a WAV of 8,000 samples per second.
	Says string
	// SRTP: it encrypts its audio; SRTPOnly: and makes no call without.
	SRTP, SRTPOnly bool
}

// Linphonec is a second make of softphone. It answers every digest algorithm and transfers attended,
// which baresip does not. Its methods may be called from any goroutine.
type Linphonec struct {
	// Port of its SIP, UDP and TCP, and RTP are the ports its audio uses.
	Port int
	RTP  PortRange

	tb      testing.TB
	dir     string
	input   io.Writer
	process *process
}

// StartLinphonec starts a phone and returns when it can be called, or has been told to register: it says
// nothing of that on a pipe, so the registrar is to be asked. It is ended with the test.
func StartLinphonec(tb testing.TB, o LinphonecOptions) *Linphonec {
	tb.Helper()
	Require(tb, "linphonec")
	first := FreePorts(tb, rtpOffset+4)
	l := &Linphonec{Port: first, RTP: PortRange{first + rtpOffset, first + rtpOffset + 3}, tb: tb, dir: tb.TempDir()}
	// It keeps a database here and starts badly if it cannot.
	if err := os.MkdirAll(filepath.Join(l.dir, ".local", "share", "linphone"), 0o755); err != nil {
		tb.Fatalf("make linphonec's folder: %v", err)
	}
	rc := filepath.Join(l.dir, "rc")
	events, info := linphoneKeys(o.DTMFMode)
	config := fmt.Sprintf("[net]\nmtu=1300\n[sip]\nsip_port=%d\nsip_tcp_port=%d\nuse_ipv6=0\nuse_rfc2833=%d\nuse_info=%d\n"+
		"%s[rtp]\naudio_rtp_port=%d\n", first, first, events, info, o.encryption(), first+rtpOffset)
	if err := os.WriteFile(rc, []byte(config), 0o600); err != nil {
		tb.Fatalf("write linphonec's configuration: %v", err)
	}
	if o.Says == "" {
		o.Says = filepath.Join(l.dir, "tx.wav")
		WriteTone(tb, o.Says, o.Tone, toneSeconds)
	}

	args := []string{"-c", rc, "-d", "0"}
	if !o.Manual {
		args = append(args, "-a")
	}
	cmd := exec.Command("linphonec", args...) //nolint:noctx // cleanup ends it by its group
	cmd.Env = append(os.Environ(), "HOME="+l.dir)
	input, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatalf("open linphonec's input: %v", err)
	}
	l.input = input
	l.process = startProcess(tb, "linphonec "+o.User, cmd)
	l.Command("soundcard use files")
	l.process.await(tb, "Using wav files")
	l.Command("play " + o.Says)
	l.Command("record " + l.Heard())
	if o.Registrar != "" {
		l.Command(fmt.Sprintf("register sip:%s@%s sip:%s %s", o.User, hostOf(o.Registrar), o.Registrar, o.Password))
	}
	return l
}

// encryption is the lines of its configuration that say so.
func (o LinphonecOptions) encryption() string {
	switch {
	case o.SRTPOnly:
		return "media_encryption=srtp\nmedia_encryption_mandatory=1\n"
	case o.SRTP:
		return "media_encryption=srtp\n"
	}
	return ""
}

func hostOf(hostPort string) string {
	host, _, _ := strings.Cut(hostPort, ":")
	return host
}

// Command types a line: "answer", "terminate", "call URI", "transfer URI".
func (l *Linphonec) Command(line string) {
	l.tb.Helper()
	if _, err := io.WriteString(l.input, line+"\n"); err != nil {
		l.tb.Fatalf("tell linphonec to %s: %v", line, err)
	}
}

// Dial calls a number at a server (host:port).
func (l *Linphonec) Dial(number, server string) {
	l.tb.Helper()
	l.Command(fmt.Sprintf("call sip:%s@%s", number, server))
}

// linphoneKeys are the settings of linphone for a DTMFMode.
func linphoneKeys(mode string) (events, info int) {
	switch mode {
	case "info":
		return 0, 1
	case "none":
		return 0, 0
	default:
		return 1, 0
	}
}

// SendDigit presses a key of the call it is in.
func (l *Linphonec) SendDigit(key byte) { l.tb.Helper(); l.Command(string(key)) }

// Pause puts the call it is talking in on hold, Resume takes the first back.
func (l *Linphonec) Pause() { l.tb.Helper(); l.Command("pause") }

// Resume takes back the call with a number that linphonec gives its calls, from 1 on.
func (l *Linphonec) Resume(call int) { l.tb.Helper(); l.Command(fmt.Sprintf("resume %d", call)) }

// Transfer hands a call on to a number at a server, blind.
func (l *Linphonec) Transfer(call int, number, server string) {
	l.tb.Helper()
	l.Command(fmt.Sprintf("transfer %d sip:%s@%s", call, number, server))
}

// TransferTo hands a call on to the party of another call of its own (attended, by Replaces).
func (l *Linphonec) TransferTo(call, other int) {
	l.tb.Helper()
	l.Command(fmt.Sprintf("transfer %d --to-call %d", call, other))
}

// Await waits until it has printed something.
func (l *Linphonec) Await(text string) { l.tb.Helper(); l.process.await(l.tb, text) }

// Quit ends it in good order: calls are hung up, the registration is taken back.
func (l *Linphonec) Quit() {
	l.tb.Helper()
	l.Command("quit")
	l.process.code()
}

// Heard is where what it heard is written; complete after Quit.
func (l *Linphonec) Heard() string { return filepath.Join(l.dir, "heard.wav") }

// Vanish kills it.
func (l *Linphonec) Vanish() { l.process.stop(syscall.SIGKILL) }
