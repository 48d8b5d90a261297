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
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"hotline/internal/testkit"
)

// tally is what an attack did, and what it was told.
type tally struct {
	sent     int // messages, or connections that were begun
	answered int // answers that came; of connections, those that were made
	// longest is how long a connection lasted at most.
	longest time.Duration
}

// mob sends datagrams in the name of many hosts by one socket, each with the address that it is told to have (IP_PKTINFO, see
// ip(7), and of IPv6 RFC 3542 section 6), and hears the answers to them all.
type mob struct {
	conn *net.UDPConn
	to   netip.AddrPort
	port uint16
	hosts
	pace int // datagrams per second
	// write appends the nth message, of host's.
	write func(b []byte, n int, host netip.Addr) []byte
	// heard is given each answer; nil: they are counted.
	heard    func(answer []byte)
	answered atomic.Int64
}

// How often a mob sends, how many by one call of the kernel at most, and how many times as much as it should where it is late.
const (
	mobTick  = 5 * time.Millisecond
	mobBatch = 64
	mobHaste = 4
)

// hosts says whose the nth message is, or connection.
type hosts func(n int) netip.Addr

// mobNet is where the hosts of mobs are: 127.66.0.1 and so on. Each mob has others, in the order in which they are made.
const mobNet = 127<<24 | 66<<16

// mobHost is the nth of them.
func mobHost(n int) netip.Addr {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], uint32(mobNet+1+n))
	return netip.AddrFrom4(a)
}

// inTurn are the first so many of them, again and again.
func inTurn(many int) hosts { return func(n int) netip.Addr { return mobHost(n % many) } }

// only is one host.
func only(host netip.Addr) hosts { return func(int) netip.Addr { return host } }

// run sends until ctx is done.
func (m *mob) run(ctx context.Context) (tally, error) {
	conn, err := m.open(ctx)
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

// open opens a socket of the family of whom it is for.
func (m *mob) open(ctx context.Context) (*net.UDPConn, error) {
	network, of := "udp4", net.ListenConfig{}
	if m.to.Addr().Is6() {
		network = "udp6"
		of.Control = func(_, _ string, c syscall.RawConn) error { return testkit.Claim(c) }
	}
	conn, err := of.ListenPacket(ctx, network, ":0")
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

// batch writes many datagrams by few calls of the kernel (sendmmsg(2)). The messages of both families are of one type.
type batch interface {
	WriteBatch(all []ipv4.Message, flags int) (int, error)
}

func (m *mob) send(ctx context.Context) (sent int, err error) {
	var by batch = ipv4.NewPacketConn(m.conn)
	if m.to.Addr().Is6() {
		by = ipv6.NewPacketConn(m.conn)
	}
	all := make([]ipv4.Message, mobBatch)
	for i := range all {
		all[i].Addr, all[i].Buffers = net.UDPAddrFromAddrPort(m.to), [][]byte{make([]byte, 0, 4096)}
	}
	tick := time.NewTicker(mobTick)
	defer tick.Stop()
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return sent, nil
		case <-tick.C:
		}
		due := int(time.Since(began).Seconds() * float64(m.pace))
		for due = min(due, sent+1+mobHaste*m.pace/int(time.Second/mobTick)); sent < due; {
			some := all[:min(len(all), due-sent)]
			for i := range some {
				host := m.hosts(sent + i)
				some[i].Buffers[0] = m.write(some[i].Buffers[0][:0], sent+i, host)
				some[i].OOB = from(host)
			}
			if err := sendAll(by, some); err != nil {
				return sent, err
			}
			sent += len(some)
		}
	}
}

// sendAll sends datagrams. That the queue of the far end is full is no error here.
func sendAll(by batch, some []ipv4.Message) error {
	for len(some) > 0 {
		n, err := by.WriteBatch(some, 0)
		if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ENOBUFS) {
			n, err = max(n, 1), nil
		}
		if err != nil {
			return err
		}
		some = some[n:]
	}
	return nil
}

// from is what tells the kernel whose a datagram is.
func from(host netip.Addr) []byte {
	if host.Is6() {
		return unix.PktInfo6(&unix.Inet6Pktinfo{Addr: host.As16()})
	}
	return unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: host.As4()})
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
	m := &mob{to: to, hosts: inTurn(3), pace: 1000}
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
