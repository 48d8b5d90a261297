package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestCaptureOfACall: a supervisor captures a call from the menu on. tshark finds the agent's dialog and the caller's BYE in
// the file, and both directions of both legs' RTP, the agent's by its SDP alone, without a gap, and of their RTCP; nobody's
// credentials or keys. The file ends with the call. Another's capture, which begins when the agent is rung, has as much of the audio.
func TestCaptureOfACall(t *testing.T) {
	t.Parallel()
	testkit.Require(t, "tshark")
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: encrypted("off", "optional"), Race: true})
	phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true}) // which has no SRTP, so that its audio can be read
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96777"))
	c.Await(testkit.CallEstablished)
	r := h.AwaitCall("in the menu", func(r testkit.Record) bool { return r.Ended == nil })
	read := make(chan []byte, 1)
	go func() { read <- h.Get("/api/v1/calls/" + r.ID + "/pcap?for=60s") }()
	h.AwaitLog("audit: capture of a call begins")
	c.SendDigit('2')
	phone.Await(testkit.CallEstablished)
	other := typing(t, h, "pcap", r.ID, "--for", "10m")
	testkit.Within(t, testkit.Patience, "both to capture", func() bool { return strings.Count(h.Log(), "audit: capture of a call begins") == 2 })
	talk(t, h, 6*time.Second) // a phone reports each five
	c.Hangup()
	phone.Await(testkit.CallClosed)
	over(t, h)
	file := filepath.Join(t.TempDir(), "call.pcapng")
	require.NoError(t, os.WriteFile(file, <-read, 0o600))
	h.AwaitLog("audit: capture of a call ends")
	other.ended(t)
	require.GreaterOrEqual(t, len(streams(readPcap(t, h, other.out, "--enable-heuristic", "rtp_udp", "-q", "-z", "rtp,streams"))), 4,
		"both directions of both legs")

	says := func(args ...string) string { return readPcap(t, h, file, args...) }
	methods := says("-Y", "sip.Method", "-T", "fields", "-e", "sip.Method")
	require.Equal(t, 1, strings.Count(methods, "INVITE"), methods)
	require.Equal(t, 2, strings.Count(methods, "BYE"), methods)
	require.NotZero(t, strings.Count(says("-Y", "sip.Status-Code == 200 && sdp"), "\n"))
	require.Equal(t, 1, strings.Count(says("-Y", `sip.Method == "INVITE" && sip contains "a=crypto:" && sip contains "inline:AAAA"`), "\n"))
	require.Empty(t, says("-Y", "sip contains \"response=\" || _ws.malformed || ip.checksum.status == 0 || udp.checksum.status == 0",
		"-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"))

	require.Regexp(t, `^The capture ends here: the call is over. Of the call \d+ packets are missing`,
		says("-Y", "frame.comment", "-T", "fields", "-e", "frame.comment"))

	requireReports(t, h, says)
	agents := streams(says("-q", "-z", "rtp,streams"))
	require.GreaterOrEqual(t, len(agents), 2, "by SDP")
	all := streams(says("--enable-heuristic", "rtp_udp", "-q", "-z", "rtp,streams"))
	require.GreaterOrEqual(t, len(all), 4, "%v", all)
	for _, line := range all {
		require.Contains(t, line, " 0 (0.0%)", line)
	}
}

// readPcap has tshark read a capture of a hotline's call. Which port is SIP's it is told: a port by chance may be another protocol's
// in its tables.
func readPcap(t *testing.T, h *testkit.Hotline, file string, args ...string) string {
	t.Helper()
	all := append([]string{"-n", "-r", file, "-d", fmt.Sprintf("udp.port==%d,sip", h.SIPPort)}, args...)
	out, err := exec.CommandContext(t.Context(), "tshark", all...).Output()
	require.NoError(t, err)
	return string(out)
}

// requireReports wants sender reports (RFC 3550 section 6.4.1) in a capture, that both legs sent and were sent.
func requireReports(t *testing.T, h *testkit.Hotline, says func(...string) string) {
	t.Helper()
	args := []string{"-Y", "rtcp.pt == 200 && !_ws.malformed", "-T", "fields", "-e", "udp.srcport", "-e", "udp.dstport"}
	for port := h.MediaPorts.First + 1; port <= h.MediaPorts.Last; port += 2 {
		args = append(args, "-d", fmt.Sprintf("udp.port==%d,rtcp", port))
	}
	sent, came := make(map[int]bool), make(map[int]bool)
	list := says(args...)
	for line := range strings.Lines(list) {
		var from, to int
		_, err := fmt.Sscan(line, &from, &to)
		require.NoError(t, err, line)
		if from >= h.MediaPorts.First && from <= h.MediaPorts.Last {
			sent[from] = true
		} else {
			came[to] = true
		}
	}
	require.Len(t, sent, 2, list)
	require.Equal(t, sent, came, list)
}

// streams are the lines of tshark's list of RTP streams, without its head.
func streams(list string) (lines []string) {
	for line := range strings.Lines(list) {
		if strings.Contains(line, "0x") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}
