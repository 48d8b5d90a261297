package testkit

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Capture records what passes over the loopback interface, or every one of a network of a test's own: the wire's own truth, to
// hold records and recordings against.
type Capture struct {
	tb      testing.TB
	file    string
	process *process
	marker  *net.UDPConn // to itself, on a port of its own that is captured too
	sip     []PortRange
	rtp     []PortRange
	stopped bool
}

// StartCapture captures the ports of SIP (UDP and TCP) and of RTP, and returns once it does: a packet
// sent from then on is in it. The test is skipped where capturing is not permitted.
func StartCapture(tb testing.TB, sip, rtp []PortRange) *Capture {
	tb.Helper()
	return startCapture(tb, nil, sip, rtp)
}

// Capture is StartCapture of what passes in the network, in and out.
func (n *Network) Capture(tb testing.TB, sip, rtp []PortRange) *Capture {
	tb.Helper()
	return startCapture(tb, n, sip, rtp)
}

func startCapture(tb testing.TB, in *Network, sip, rtp []PortRange) *Capture {
	tb.Helper()
	Require(tb, "dumpcap", "tshark")
	marker, at := listenMarker(tb, in), "lo"
	if in != nil {
		at = "any"
	}
	port := marker.LocalAddr().(*net.UDPAddr).Port //nolint:forcetypeassert // of a UDP socket it is one
	c := &Capture{tb: tb, file: filepath.Join(tb.TempDir(), "wire.pcapng"), sip: sip, rtp: rtp}
	filter := []string{fmt.Sprintf("udp port %d", port)}
	for _, r := range sip {
		filter = append(filter, fmt.Sprintf("portrange %d-%d", r.First, r.Last))
	}
	for _, r := range rtp {
		filter = append(filter, fmt.Sprintf("udp portrange %d-%d", r.First, r.Last))
	}
	c.marker = marker
	tb.Cleanup(func() { _ = marker.Close() }) // a second close is of no harm

	// It ends by its group, in cleanup, so that it can write what it has.
	cmd := in.Command("dumpcap", "-q", "-i", at, "-B", "32",
		"-a", "duration:1800", "-f", // should the tests themselves be killed
		strings.Join(filter, " or "), "-w", c.file)
	c.process = startProcess(tb, "dumpcap", cmd)
	if !c.mark() {
		skip(tb, "needs the right to capture packets: "+tail(c.process.output.String(), 400))
	}
	return c
}

// listenMarker opens the marker's socket. A phone that chooses ports by chance may have come to one that was free.
func listenMarker(tb testing.TB, in *Network) *net.UDPConn {
	tb.Helper()
	var err error
	for range 5 {
		var conn *net.UDPConn
		at := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: FreePorts(tb, 1)}
		err = in.Do(func() (err error) {
			conn, err = net.ListenUDP("udp4", at)
			return err
		})
		if err == nil {
			return conn
		}
	}
	tb.Fatalf("open the capture's marker: %v", err)
	return nil
}

// Stop ends the capture when everything sent before is in the file. Idempotent.
func (c *Capture) Stop() {
	c.tb.Helper()
	if c.stopped {
		return
	}
	c.stopped = true
	if !c.mark() {
		c.tb.Fatalf("dumpcap ended early: %s", c.process.output)
	}
	c.process.stop(syscall.SIGINT)
	_ = c.marker.Close() // it was only sent through
}

// mark sends a packet never seen before until it is in the file; false if dumpcap ended first.
// Packets are captured in order, so all that went before are in the file too.
func (c *Capture) mark() bool {
	c.tb.Helper()
	token := []byte("hotline-marker-" + rand.Text())
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := c.marker.WriteTo(token, c.marker.LocalAddr()); err != nil {
			c.tb.Fatalf("send the capture's marker: %v", err)
		}
		if b, err := os.ReadFile(c.file); err == nil && bytes.Contains(b, token) {
			return true
		}
		select {
		case <-c.process.exited:
			return false
		case <-deadline.C:
			c.tb.Fatalf("the capture did not see its marker within %s", Patience)
		case <-tick.C:
		}
	}
}

// tshark stops the capture, and reads its file with further arguments.
func (c *Capture) tshark(args ...string) []byte {
	c.tb.Helper()
	c.Stop()
	return c.read(args...)
}

// read reads the file as it is. Of one that is still written the last packet may be cut off, which tshark complains of once it
// has told all others.
func (c *Capture) read(args ...string) []byte {
	c.tb.Helper()
	args = append([]string{"-n", "-r", c.file}, args...)
	for _, r := range c.sip {
		args = append(args, "-d", fmt.Sprintf("udp.port==%d-%d,sip", r.First, r.Last),
			"-d", fmt.Sprintf("tcp.port==%d-%d,sip", r.First, r.Last))
	}
	for _, r := range c.rtp {
		args = append(args, "-d", fmt.Sprintf("udp.port==%d-%d,rtp", r.First, r.Last))
	}
	cmd := exec.CommandContext(c.tb.Context(), "tshark", args...)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if _, cut := errors.AsType[*exec.ExitError](err); err != nil && (c.stopped || !cut) {
		c.tb.Fatalf("tshark: %v\n%s", err, problems.String())
	}
	return out
}
