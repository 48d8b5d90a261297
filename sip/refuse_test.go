package sip

import (
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// owed400 is a request that cannot be parsed and is owed a 400 (RFC 3261 section 8.2.6.2): its To is none. sentBy is what its Via
// says of its sender, parameters included.
func owed400(sentBy string) string {
	return strings.ReplaceAll("OPTIONS sip:96777@127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP "+sentBy+"\nFrom: <sip:x@192.0.2.1>;tag=1\n"+
		"To: \"x <sip:x@192.0.2.1>\nCall-ID: x\nCSeq: 1 OPTIONS\nMax-Forwards: 70\nSubject: "+strings.Repeat("x", 200)+
		"\nContent-Length: 0\n\n", "\n", "\r\n")
}

// unsendable is a socket that answers nothing: the system says why. What comes may be from port 0.
type unsendable struct {
	net.PacketConn
	says     atomic.Pointer[syscall.Errno]
	tries    atomic.Int32
	portless atomic.Bool
}

func (u *unsendable) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := u.PacketConn.ReadFrom(b)
	if err == nil && u.portless.Load() {
		from = &net.UDPAddr{IP: from.(*net.UDPAddr).IP} //nolint:forcetypeassert // of UDP
	}
	return n, from, err
}

func (u *unsendable) WriteTo(b []byte, to net.Addr) (int, error) {
	u.tries.Add(1)
	if errno := u.says.Load(); errno != nil {
		return 0, &net.OpError{Op: "write", Net: "udp", Addr: to, Err: os.NewSyscallError("sendto", *errno)}
	}
	return u.PacketConn.WriteTo(b, to)
}

// TestNoPortToAnswer: a stranger's datagram that has no port to be answered at, by its Via or by its source, is dropped, and nothing is
// written for it: the system would say EINVAL.
func TestNoPortToAnswer(t *testing.T) {
	t.Parallel()
	out := &unsendable{}
	r := newRigWith(t, nil, func(u *UA) {
		out.PacketConn = u.listeners[0].packet
		u.listeners[0].packet = out
	})
	p := newPeer(t, "udp", r.udp())
	p.write(owed400("192.0.2.1:0;branch=z9hG4bK1"))
	require.Eventually(t, func() bool { return r.dropped(dropNoVia) == 1 }, testWait, time.Millisecond)
	out.portless.Store(true)
	p.write(owed400("192.0.2.1:5060;rport;branch=z9hG4bK2"))
	p.write(strings.Replace(owed400("192.0.2.1:5060;rport;branch=z9hG4bK3"), `"x <`, "<", 1)) // nothing is wrong with it
	require.Eventually(t, func() bool { return r.dropped(dropNoVia) == 3 }, testWait, time.Millisecond)
	require.Zero(t, out.tries.Load())
	require.Zero(t, r.dropped(dropUnsent))

	out.portless.Store(false)
	p.write(owed400("192.0.2.1:0;rport;branch=z9hG4bK4")) // what is asked for is the source's port
	p.status("OPTIONS", 400)
}

// TestUnsentIsTheSockets: an answer that does not leave for where it should go is not counted as the socket's failure, which wakes
// somebody: who sends chooses his address, and ends his connection when he likes.
func TestUnsentIsTheSockets(t *testing.T) {
	t.Parallel()
	out := &unsendable{}
	r := newRigWith(t, nil, func(u *UA) {
		out.PacketConn = u.listeners[0].packet
		u.listeners[0].packet = out
		tcp := u.listeners[1].stream.(*trackedListener)
		tcp.Listener = resetListener{tcp.Listener}
	})
	p := newPeer(t, "udp", r.udp())
	n := 0
	for _, errno := range []syscall.Errno{
		syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EACCES, syscall.EPERM, syscall.ECONNREFUSED, syscall.EMSGSIZE,
	} {
		out.says.Store(&errno)
		p.write(owed400("192.0.2.1;rport;branch=z9hG4bK1"))
		n++
		require.Eventually(t, func() bool { return r.dropped(dropNoWay) == n }, testWait, time.Millisecond, errno.Error())
	}
	newPeer(t, "tcp", r.tcp()).write(owed400("192.0.2.1;rport;branch=z9hG4bK1"))
	require.Eventually(t, func() bool { return r.dropped(dropNoWay) == n+1 }, testWait, time.Millisecond)
	require.Zero(t, r.dropped(dropUnsent))

	n = 0
	for _, errno := range []syscall.Errno{syscall.ENOBUFS, syscall.ENOMEM, syscall.EINVAL, syscall.ENETDOWN} {
		out.says.Store(&errno)
		p.write(owed400("192.0.2.1;rport;branch=z9hG4bK1"))
		n++
		require.Eventually(t, func() bool { return r.dropped(dropUnsent) == n }, testWait, time.Millisecond, errno.Error())
	}
}

// resetListener takes connections over which nothing can be written any more.
type resetListener struct{ net.Listener }

func (l resetListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return resetConn{c}, nil
}

type resetConn struct{ net.Conn }

func (resetConn) Write([]byte) (int, error) {
	return 0, &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", syscall.ECONNRESET)}
}

// TestRefusalSaysSource: what is refused unparsed is told where it came from, as by any response (RFC 3261 section 18.2.1, RFC 3581
// section 4: the sender may have no other way to know its address), and believes nothing that the sender said of that. An answer is
// not withheld for those octets, and for others it is.
func TestRefusalSaysSource(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	source := netip.MustParseAddrPort("198.51.100.7:40000")
	six := netip.MustParseAddrPort("[2001:db8::7]:40000")
	const more = ", SIP/2.0/UDP b;branch=2;rport"
	for sentBy, want := range map[string]string{
		"192.0.2.1:5060;rport;branch=z9hG4bK1":                   "192.0.2.1:5060;branch=z9hG4bK1;rport=40000;received=198.51.100.7",
		"198.51.100.7:5060;branch=z9hG4bK1":                      "198.51.100.7:5060;branch=z9hG4bK1",
		"198.51.100.7;branch=z9hG4bK1;RPort":                     "198.51.100.7;branch=z9hG4bK1;rport=40000;received=198.51.100.7",
		"phone.example;branch=z9hG4bK1":                          "phone.example;branch=z9hG4bK1;received=198.51.100.7",
		"192.0.2.1;received=203.0.113.9;rport=9;branch=z" + more: "192.0.2.1;branch=z;rport=40000;received=198.51.100.7" + more,
		"192.0.2.1 ; rport\r\n ;branch=z9hG4bK1":                 "192.0.2.1 ;branch=z9hG4bK1;rport=40000;received=198.51.100.7",
	} {
		o := sketch(owed400(sentBy))
		o.source = source
		answer, why := r.refusal(o)
		require.Empty(t, why, sentBy)
		require.Contains(t, answer, "\r\nVia: SIP/2.0/UDP "+want+"\r\n", sentBy)
	}
	o := sketch(owed400("[2001:db8::7]:5060;branch=z9hG4bK1"))
	o.source = six
	answer, _ := r.refusal(o)
	require.NotContains(t, answer, "received")
	o.source = netip.MustParseAddrPort("[2001:db8::8]:5060")
	answer, _ = r.refusal(o)
	require.Contains(t, answer, ";received=2001:db8::8\r\n")

	o = sketch(owed400("192.0.2.1;rport;branch=z9hG4bK1"))
	bare, _ := r.refusal(o)
	require.NotEmpty(t, bare)
	o.source, o.size = source, len(bare)
	answer, why := r.refusal(o)
	require.Empty(t, why)
	require.Greater(t, len(answer), len(bare))
	o.size--
	_, why = r.refusal(o)
	require.Equal(t, dropReflected, why)
}

// TestRefusedOnTheWire is TestRefusalSaysSource from end to end, over UDP and TCP.
func TestRefusedOnTheWire(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for network, at := range map[string]netip.AddrPort{"udp": r.udp(), "tcp": r.tcp()} {
		p := newPeer(t, network, at)
		p.write(owed400("192.0.2.1:5060;rport;branch=z9hG4bK1"))
		host, port, err := net.SplitHostPort(p.addr())
		require.NoError(t, err)
		require.Contains(t, p.status("OPTIONS", 400).header("via"), ";rport="+port+";received="+host)
	}
}
