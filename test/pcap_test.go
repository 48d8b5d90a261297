package test

import (
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
// the file, and both directions of both legs' RTP, the agent's by its SDP alone, without a gap; nobody's credentials.
// The file ends with the call.
func TestCaptureOfACall(t *testing.T) {
	t.Parallel()
	testkit.Require(t, "tshark")
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true})
	phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96777"))
	c.Await(testkit.CallEstablished)
	r := h.AwaitCall("in the menu", func(r testkit.Record) bool { return r.Ended == nil })
	read := make(chan []byte, 1)
	go func() { read <- h.Get("/api/v1/calls/" + r.ID + "/pcap?for=60s") }()
	h.AwaitLog("audit: capture of a call begins")
	c.SendDigit('2')
	phone.Await(testkit.CallEstablished)
	talk(t, h, 2*time.Second)
	c.Hangup()
	phone.Await(testkit.CallClosed)
	over(t, h)
	file := filepath.Join(t.TempDir(), "call.pcapng")
	require.NoError(t, os.WriteFile(file, <-read, 0o600))
	h.AwaitLog("audit: capture of a call ends")

	says := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), "tshark", append([]string{"-n", "-r", file}, args...)...).Output()
		require.NoError(t, err)
		return string(out)
	}
	methods := says("-Y", "sip.Method", "-T", "fields", "-e", "sip.Method")
	require.Equal(t, 1, strings.Count(methods, "INVITE"), methods)
	require.Equal(t, 2, strings.Count(methods, "BYE"), methods)
	require.NotZero(t, strings.Count(says("-Y", "sip.Status-Code == 200 && sdp"), "\n"))
	require.Empty(t, says("-Y", "sip contains \"response=\" || _ws.malformed || ip.checksum.status == 0 || udp.checksum.status == 0",
		"-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"))

	require.Regexp(t, `^The capture ends here: the call is over. Of the call \d+ packets are missing`,
		says("-Y", "frame.comment", "-T", "fields", "-e", "frame.comment"))

	agents := streams(says("-q", "-z", "rtp,streams"))
	require.GreaterOrEqual(t, len(agents), 2, "by SDP")
	all := streams(says("--enable-heuristic", "rtp_udp", "-q", "-z", "rtp,streams"))
	require.GreaterOrEqual(t, len(all), 4, "%v", all)
	for _, line := range all {
		require.Contains(t, line, " 0 (0.0%)", line)
	}
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
