//go:build linux

package flood

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// tally is what an attack did, and what it was told.
type tally struct {
	sent     int // messages, or connections that were begun
	answered int // answers that came; of connections, those that were made
}

// mob sends datagrams in the name of many hosts by one socket, each with the address that it is told to have (IP_PKTINFO, see
// ip(7)), and hears the answers to them all.
type mob struct {
	conn    *net.UDPConn
	to      netip.AddrPort
	port    uint16
	sources int
	as      netip.Addr // the one host that it claims to be; not valid: sources of its own
	pace    int        // datagrams per second
	// write appends the nth message, of host's, which may be nothing.
	write func(b []byte, n int, host netip.Addr) []byte
	// heard is given each answer; nil: they are counted.
	heard    func(answer []byte)
	answered atomic.Int64
}

// mobTick is how often a mob sends.
const mobTick = 5 * time.Millisecond

// mobNet is where the hosts of mobs are: 127.66.0.1 and so on. Each mob has others, in the order in which they are made.
const mobNet = 127<<24 | 66<<16

// mobHost is the nth of them.
func mobHost(n int) netip.Addr {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], uint32(mobNet+1+n))
	return netip.AddrFrom4(a)
}

// run sends until ctx is done.
func (m *mob) run(ctx context.Context) (tally, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{})
	if err != nil {
		return tally{}, fmt.Errorf("open a mob's socket: %w", err)
	}
	m.conn = conn
	m.port = uint16(conn.LocalAddr().(*net.UDPAddr).Port)
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.hear()
	}()
	sent, err := m.send(ctx)
	err = errors.Join(err, conn.Close())
	<-done
	return tally{sent: sent, answered: int(m.answered.Load())}, err
}

func (m *mob) send(ctx context.Context) (sent int, err error) {
	tick := time.NewTicker(mobTick)
	defer tick.Stop()
	b := make([]byte, 0, 4096)
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return sent, nil
		case <-tick.C:
		}
		due := int(time.Since(began).Seconds() * float64(m.pace))
		for ; sent < due; sent++ {
			host := m.as
			if !host.IsValid() {
				host = mobHost(sent % m.sources)
			}
			if b = m.write(b[:0], sent, host); len(b) == 0 {
				continue
			}
			if err := m.sendFrom(host, b); err != nil {
				return sent, err
			}
		}
	}
}

// sendFrom sends a datagram from an address. That the queue of the far end is full is no error here.
func (m *mob) sendFrom(host netip.Addr, b []byte) error {
	_, _, err := m.conn.WriteMsgUDPAddrPort(b, unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: host.As4()}), m.to)
	if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ENOBUFS) {
		return nil
	}
	return err
}

func (m *mob) hear() {
	b := make([]byte, 4096)
	for {
		n, err := m.conn.Read(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // what an earlier datagram of ours met
		}
		m.answered.Add(1)
		if m.heard != nil {
			m.heard(b[:n])
		}
	}
}

// text is a message with holes: {H} for the hotline, {S} for who sends it, {N} for its number.
type text []string

func textOf(lines ...string) text {
	return strings.Split(strings.ReplaceAll(strings.Join(lines, "\r\n"), "}", "{"), "{")
}

// fill appends the message.
func (t text) fill(b []byte, hotline string, n int, source netip.AddrPort) []byte {
	for i, part := range t {
		switch {
		case i%2 == 0:
			b = append(b, part...)
		case part == "H":
			b = append(b, hotline...)
		case part == "S":
			b = source.AppendTo(b)
		default:
			b = strconv.AppendInt(b, int64(n), 10)
		}
	}
	return b
}

// The messages. The strangers' phones say that they are Linphone's: who says that he is a scanner gets no further.
var (
	offer = strings.Join([]string{
		"v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", "m=audio 40000 RTP/AVP 8 0 101", "a=rtpmap:8 PCMA/8000",
		"a=rtpmap:0 PCMU/8000", "a=rtpmap:101 telephone-event/8000", "a=ptime:20", "",
	}, "\r\n")
	inviteText   = inviteOf(menuNumber)
	registerText = registerOf(agentID(0), "")
	inventedText = registerOf(agentID(0), "invented{N}")
)

// inviteOf is a call to a number.
func inviteOf(number string) text {
	return textOf("INVITE sip:"+number+"@{H} SIP/2.0", "Via: SIP/2.0/UDP {S};branch=z9hG4bKi{N};rport", "Max-Forwards: 70",
		"From: <sip:13900001234@{S}>;tag=f{N}", "To: <sip:"+number+"@{H}>", "Call-ID: i{N}", "CSeq: 1 INVITE",
		"Contact: <sip:13900001234@{S}>", "User-Agent: Linphone/5.2", "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS",
		"Content-Type: application/sdp", fmt.Sprintf("Content-Length: %d", len(offer)), "", offer)
}

// registerOf is an agent's REGISTER with a wrong password, and a nonce; none: no password at all.
func registerOf(agent, nonce string) text {
	lines := []string{
		"REGISTER sip:{H} SIP/2.0", "Via: SIP/2.0/UDP {S};branch=z9hG4bKr{N};rport", "Max-Forwards: 70",
		"From: <sip:" + agent + "@{H}>;tag=f{N}", "To: <sip:" + agent + "@{H}>", "Call-ID: r{N}", "CSeq: 1 REGISTER",
		"Contact: <sip:" + agent + "@{S}>", "User-Agent: Linphone/5.2", "Expires: 3600",
	}
	if nonce != "" {
		lines = append(lines, `Authorization: Digest username="`+agent+`", realm="hotline", nonce="`+nonce+`", uri="sip:{H}", `+
			`response="0123456789abcdef0123456789abcdef", algorithm=MD5, cnonce="c{N}", qop=auth, nc=00000001`)
	}
	return textOf(append(lines, "Content-Length: 0", "", "")...)
}

// TestMob: datagrams leave with the address that they are told to have, the answers come back, and the messages are whole.
func TestMob(t *testing.T) {
	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Close()) }()
	to := server.LocalAddr().(*net.UDPAddr).AddrPort()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m := &mob{to: to, sources: 3, pace: 1000}
	m.write = func(b []byte, n int, host netip.Addr) []byte {
		return inviteText.fill(b, to.String(), n, netip.AddrPortFrom(host, m.port))
	}
	type outcome struct {
		tally tally
		err   error
	}
	over := make(chan outcome, 1)
	go func() {
		sent, err := m.run(ctx)
		over <- outcome{sent, err}
	}()
	b := make([]byte, 4096)
	for i := range 7 {
		n, from, err := server.ReadFromUDPAddrPort(b)
		require.NoError(t, err)
		require.Equal(t, mobHost(i%3).String(), from.Addr().String())
		said := string(b[:n])
		require.Contains(t, said, fmt.Sprintf("Via: SIP/2.0/UDP %s;branch=z9hG4bKi%d;rport\r\n", from, i))
		require.True(t, strings.HasSuffix(said, offer))
		_, err = server.WriteToUDPAddrPort([]byte("SIP/2.0 403 Forbidden\r\n\r\n"), from)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return m.answered.Load() == 7 }, 20*time.Second, time.Millisecond)
	cancel()
	o := <-over
	require.NoError(t, o.err)
	require.GreaterOrEqual(t, o.tally.sent, 7)
	require.Equal(t, 7, o.tally.answered)
}
