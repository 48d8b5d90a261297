package test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// typed is a command that goes on, with what it has said in a file.
type typed struct {
	cmd  *exec.Cmd
	out  string
	done chan error
}

// typing starts a command of a running hotline.
func typing(t *testing.T, h *testkit.Hotline, args ...string) *typed {
	t.Helper()
	c := &typed{out: filepath.Join(t.TempDir(), "out"), done: make(chan error, 1)}
	f, err := os.Create(c.out)
	require.NoError(t, err)
	cmd := h.Command(args...)
	c.cmd = cmd
	cmd.Stdout = f
	var complaints strings.Builder
	cmd.Stderr = &complaints
	require.NoError(t, cmd.Start())
	go func() {
		err := cmd.Wait()
		if err != nil {
			err = fmt.Errorf("%v: %w: %s", args, err, complaints.String())
		}
		_ = f.Close() // all is in it: the command has ended
		c.done <- err
	}()
	return c
}

func (c *typed) said(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(c.out)
	require.NoError(t, err)
	return string(text)
}

// ended waits until it ends, and it must end well.
func (c *typed) ended(t *testing.T) {
	t.Helper()
	select {
	case err := <-c.done:
		require.NoError(t, err)
	case <-time.After(testkit.Patience):
		require.Fail(t, "the command goes on")
	}
}

// TestCommands: what an operator types beside the running hotline. A trace shows an agent's phone from its registration on, a
// capture is a file in which Wireshark finds what was said over TLS, and ends with the call; a ban is listed and lifted. Each is in the log, with who did it,
// and nowhere is a caller's number. A trace ends well when the hotline does.
func TestCommands(t *testing.T) {
	t.Parallel()
	testkit.Require(t, "tshark", "script")
	_, cert, key := testkit.Certificate(t)
	h := testkit.StartHotline(t, testkit.HotlineOptions{
		Race: true, Certificate: cert, Key: key, YAML: strings.Replace(city, "127.0.0.0/8", localhost, 1),
	})
	trace := typing(t, h, "trace", "8002", "--for", "10m", "--messages")
	h.AwaitLog("audit: SIP trace of a peer begins")
	phone := testkit.StartBaresip(t, testkit.BaresipOptions{
		User: "8002", Password: passwords["8002"], Registrar: h.TLS, Transport: "tls", Register: true, Auto: true, Tone: agentTone,
	})
	h.AwaitAgent("8002", "ready")
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96777"))
	c.Await(testkit.CallEstablished)
	r := h.AwaitCall("in the menu", func(r testkit.Record) bool { return r.Ended == nil })
	capture := typing(t, h, "pcap", r.ID, "--for", "10m")
	h.AwaitLog("audit: capture of a call begins")
	typedAway(t, h, r.ID)
	c.SendDigit('2')
	phone.Await(testkit.CallEstablished)
	talk(t, h, 500*time.Millisecond)
	c.Hangup()
	phone.Await(testkit.CallClosed)
	over(t, h)
	capture.ended(t)
	methods := readPcap(t, h, capture.out, "-Y", "sip && exported_pdu.dst_port", "-T", "fields", "-e", "sip.Method") // over TLS
	for _, method := range []string{"INVITE", "ACK", "BYE"} {
		require.Contains(t, methods, method)
	}

	testkit.Within(t, testkit.Patience, "the trace to show the call's end", func() bool { return strings.Contains(trace.said(t), "200 OK (BYE)") })
	shown := trace.said(t)
	for _, what := range []string{"REGISTER", "Authorization: (hidden)", " TLS 127.0.0.1:", "INVITE sdp", "  200 Answering sdp", "  ACK", "  BYE"} {
		require.Contains(t, shown, what)
	}
	require.NotContains(t, shown, r.From)
	require.NotContains(t, shown, "response=")

	onTerminal := exec.CommandContext(t.Context(), "script", "-qec", strings.Join(h.Command("pcap", r.ID).Args, " "), "/dev/null")
	refused, err := onTerminal.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(refused), "a capture is no text")

	banAndLift(t, h)
	h.Signal(syscall.SIGTERM)
	trace.ended(t)
	require.Zero(t, h.ExitCode())
	for _, line := range []string{
		`"audit: SIP trace of a peer begins".*"by":"tests".*"peer":"8002"`, `"audit: SIP trace of a peer ends".*"by":"tests".*"peer":"8002"`,
		`"audit: capture of a call begins".*"by":"tests".*"call":"` + r.ID, `"audit: capture of a call ends".*"by":"tests".*"call":"` + r.ID,
		`"audit: unban".*"by":"tests".*"address":"127.0.0.9".*"lifted":true`,
	} {
		require.Regexp(t, line, h.Log())
	}
	require.NotContains(t, h.Log(), r.From)
}

// typedAway has Ctrl-C end what would go on for long: a trace, a capture, whose file is whole, and one who waits for a file.
func typedAway(t *testing.T, h *testkit.Hotline, call string) {
	t.Helper()
	trace, capture := typing(t, h, "trace", "8001", "--for", "10m"), typing(t, h, "pcap", call, "--for", "10m")
	testkit.Within(t, testkit.Patience, "both to begin", func() bool {
		return strings.Contains(h.Log(), `"peer":"8001"`) && capture.said(t) != "" // a file that was not begun is none
	})
	for c, how := range map[*typed]os.Signal{trace: os.Interrupt, capture: syscall.SIGTERM} {
		require.NoError(t, c.cmd.Process.Signal(how))
		c.ended(t)
	}
	readPcap(t, h, capture.out) // it is no file that was cut short

	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience) // a check that goes on is killed
	defer cancel()
	check := exec.CommandContext(ctx, h.Command().Path, "check", "/dev/stdin")
	in, err := check.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, check.Start())
	defer func() { _ = in.Close() }()
	_, err = in.Write([]byte(strings.Repeat("#\n", 100_000))) // more than a pipe holds: it is being read
	require.NoError(t, err)
	require.NoError(t, check.Process.Signal(os.Interrupt))
	ended, _ := errors.AsType[*exec.ExitError](check.Wait())
	require.NotNil(t, ended)
	require.Equal(t, syscall.SIGINT, ended.Sys().(syscall.WaitStatus).Signal()) //nolint:forcetypeassert // of Unix
}

const localhost = "127.0.0.1"

// banAndLift has a scanner banned, who gets no answer then, lists it and lets it in again.
func banAndLift(t *testing.T, h *testkit.Hotline) {
	t.Helper()
	typedOnce := func(args ...string) string {
		out, err := h.Command(args...).CombinedOutput()
		require.NoError(t, err, "%v: %s", args, out)
		return string(out)
	}
	// asks sends OPTIONS by TCP from an address of nobody's, and returns what comes until the connection ends or an answer is there.
	asks := func(agent string) string {
		conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}).DialContext(t.Context(), "tcp", h.SIP)
		if err != nil {
			return ""
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(testkit.Patience))
		_, _ = fmt.Fprintf(conn, "OPTIONS sip:1@h SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.9:5060;branch=z9hG4bK%s\r\nFrom: <sip:1@h>;tag=1\r\n"+
			"To: <sip:1@h>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nUser-Agent: %s\r\nContent-Length: 0\r\n\r\n", agent, agent, agent)
		answer := make([]byte, len("SIP/2.0 200"))
		n, _ := io.ReadFull(conn, answer) // a connection that is ended says nothing
		return string(answer[:n])
	}
	require.Equal(t, "nobody is banned\n", typedOnce("bans"))
	require.Equal(t, "SIP/2.0 200", asks("office"))
	require.Empty(t, asks("friendly-scanner"))
	testkit.Within(t, testkit.Patience, "the ban", func() bool { return strings.Contains(typedOnce("bans"), "127.0.0.9  scanner") })
	require.Empty(t, asks("office"))
	out, err := h.Command("unban", "127.0.0.8").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "127.0.0.8 is not banned")
	require.Contains(t, typedOnce("unban", "127.0.0.9"), "not banned any more")
	require.Equal(t, "SIP/2.0 200", asks("office"))
	require.Equal(t, "nobody is banned\n", typedOnce("bans"))
}
