package testkit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"
)

// HEPPacket is a packet of HEP version 3, read chunk by chunk.
type HEPPacket struct {
	Family, Protocol, Type byte
	Source, Target         netip.AddrPort
	At                     time.Time
	Capture                uint32
	Key, Correlation       string
	Payload                []byte
}

// ParseHEP reads a packet, and wants every octet of it to be part of a chunk that it knows, each chunk once.
func ParseHEP(b []byte) (p HEPPacket, err error) {
	if len(b) < 6 || string(b[:4]) != "HEP3" || int(binary.BigEndian.Uint16(b[4:])) != len(b) {
		return p, errors.New("no HEP version 3, or of another length than it says")
	}
	chunks := make(map[uint16][]byte)
	for b = b[6:]; len(b) > 0; {
		if len(b) < 6 {
			return p, errors.New("octets behind the last chunk")
		}
		vendor, kind, n := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]), int(binary.BigEndian.Uint16(b[4:]))
		if vendor != 0 || n < 6 || n > len(b) || chunks[kind] != nil {
			return p, fmt.Errorf("chunk %#x of vendor %d and %d octets", kind, vendor, n)
		}
		chunks[kind], b = b[6:n:n], b[n:]
	}
	take := func(kind uint16, octets int) []byte {
		c := chunks[kind]
		delete(chunks, kind)
		if len(c) != octets {
			err = errors.Join(err, fmt.Errorf("chunk %#x has %d octets, not %d", kind, len(c), octets))
			return make([]byte, octets)
		}
		return c
	}
	p.Family, p.Protocol, p.Type = take(1, 1)[0], take(2, 1)[0], take(0xb, 1)[0]
	first, octets := uint16(3), 4
	if p.Family == 10 {
		first, octets = 5, 16
	}
	source, _ := netip.AddrFromSlice(take(first, octets))
	target, _ := netip.AddrFromSlice(take(first+1, octets))
	p.Source = netip.AddrPortFrom(source, binary.BigEndian.Uint16(take(7, 2)))
	p.Target = netip.AddrPortFrom(target, binary.BigEndian.Uint16(take(8, 2)))
	p.At = time.Unix(int64(binary.BigEndian.Uint32(take(9, 4))), int64(binary.BigEndian.Uint32(take(0xa, 4)))*1000)
	p.Capture = binary.BigEndian.Uint32(take(0xc, 4))
	p.Key, p.Correlation, p.Payload = string(chunks[0xe]), string(chunks[0x11]), chunks[0xf]
	for _, kind := range []uint16{0xe, 0xf, 0x11} {
		delete(chunks, kind)
	}
	if len(chunks) > 0 || len(p.Payload) == 0 {
		err = errors.Join(err, fmt.Errorf("chunks left: %v", chunks))
	}
	return p, err
}

// HEPServer is a capture server that keeps what it is sent.
type HEPServer struct {
	Addr string // host:port, UDP

	mu   sync.Mutex
	all  []HEPPacket
	errs error
}

// StartHEPServer listens on an address, host:port, until the test's end or until stop is called.
func StartHEPServer(tb testing.TB, address string) (s *HEPServer, stop func()) {
	tb.Helper()
	conn, err := net.ListenPacket("udp", address) //nolint:noctx // it does not wait
	if err != nil {
		tb.Fatalf("open a HEP server: %v", err)
	}
	s = &HEPServer{Addr: conn.LocalAddr().String()}
	done := make(chan struct{})
	stop = sync.OnceFunc(func() {
		_ = conn.Close()
		<-done
	})
	tb.Cleanup(stop)
	go func() {
		defer close(done)
		b := make([]byte, 1<<16)
		for {
			n, _, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			p, err := ParseHEP(append([]byte(nil), b[:n]...))
			s.mu.Lock()
			s.all, s.errs = append(s.all, p), errors.Join(s.errs, err)
			s.mu.Unlock()
		}
	}()
	return s, stop
}

// Packets are those that came so far. One that was none fails the test.
func (s *HEPServer) Packets(tb testing.TB) []HEPPacket {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.errs != nil {
		tb.Fatalf("what came is no HEP: %v", s.errs)
	}
	return append([]HEPPacket(nil), s.all...)
}

// hepConfig is of a Kamailio that takes HEP, and says of each message what it read: method or status, Call-ID, source.
const hepConfig = `#!KAMAILIO
debug=2
log_stderror=yes
children=1
disable_tcp=yes
auto_aliases=no
listen=udp:127.0.0.1:%d
mpath="%s"
loadmodule "db_text.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "sipcapture.so"
modparam("sipcapture", "db_url", "text://%s")
modparam("sipcapture", "hep_capture_on", 1)
modparam("sipcapture", "capture_on", 1)
request_route { xlog("L_WARN", "CAPTURED $rm $ci $pr $si $sp end\n"); drop; }
onreply_route { xlog("L_WARN", "CAPTURED $rs $ci $pr $si $sp end\n"); drop; }
`

// KamailioHEP is Kamailio as a capture server, whose decoder of HEP is Homer's own authors'.
type KamailioHEP struct {
	Addr string // host:port, UDP

	tb      testing.TB
	process *process
}

// StartKamailioHEP returns when it listens. It is ended with the test.
func StartKamailioHEP(tb testing.TB) *KamailioHEP {
	tb.Helper()
	Require(tb, "kamailio")
	port, dir := FreePorts(tb, 1), tb.TempDir()
	file := filepath.Join(dir, "kamailio.cfg")
	if err := os.WriteFile(file, fmt.Appendf(nil, hepConfig, port, kamailioModules, dir), configPermission); err != nil {
		tb.Fatalf("write kamailio's configuration: %v", err)
	}
	cmd := exec.Command("kamailio", "-DD", "-E", "-f", file, "-Y", dir, "-m", "64", "-M", "8") //nolint:noctx // cleanup ends it by its group
	k := &KamailioHEP{Addr: fmt.Sprintf("127.0.0.1:%d", port), tb: tb, process: startProcess(tb, "kamailio", cmd)}
	Within(tb, Patience, "kamailio to listen", func() bool { return bound(tb, overUDP, port) })
	return k
}

var captured = regexp.MustCompile(`CAPTURED (.+) end\n`)

// Await returns n messages as it has read them, in order: method or status, Call-ID, transport, source, its port.
func (k *KamailioHEP) Await(n int) (lines []string) {
	k.tb.Helper()
	Within(k.tb, Patience, fmt.Sprintf("kamailio to read %d messages", n), func() bool {
		lines = lines[:0]
		for _, m := range captured.FindAllStringSubmatch(k.process.output.String(), -1) {
			lines = append(lines, m[1])
		}
		return len(lines) >= n
	})
	return lines
}
