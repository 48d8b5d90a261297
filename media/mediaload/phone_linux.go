package mediaload

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// phone is one party: a bare socket, the packet that it sends next, and what it makes of what it hears.
type phone struct {
	fd     int
	local  netip.AddrPort
	to     unix.SockaddrInet4
	packet [rtpHeader + frameBytes]byte
	secure *secure // nil without SRTP
	mark   mark
	sent   int
	tally  tally
}

// newPhone binds a socket that does not block, and whose packets carry the time of their arrival.
func newPhone(address netip.Addr, free *ports) (*phone, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a phone: %w", err)
	}
	p := &phone{fd: fd}
	err = free.take(func(port uint16) error {
		p.local = netip.AddrPortFrom(address, port)
		return unix.Bind(fd, &unix.SockaddrInet4{Port: int(port), Addr: address.As4()})
	})
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open a phone: %w", err), unix.Close(fd))
	}
	return p, nil
}

// begin says whose phone it is, and whom it is to hear.
func (p *phone) begin(call int, side, hears uint8) {
	p.mark = mark{call: call, side: side}
	p.tally = newTally(call, hears, 0)
	p.packet[0], p.packet[1] = rtpVersion, payloadALaw|rtpMarker // the first of a talkspurt
	binary.BigEndian.PutUint32(p.packet[rtpSource:], uint32(call)<<1|uint32(side))
}

// connect takes the answer to the phone's offer.
func (p *phone) connect(answer []byte) error {
	far, err := described(answer)
	if err != nil {
		return err
	}
	p.to = unix.SockaddrInet4{Port: int(far.at.Port()), Addr: far.at.Addr().As4()}
	if p.secure != nil {
		return p.secure.agree(far.crypto)
	}
	return nil
}

// expect makes room for so many packets more, each way.
func (p *phone) expect(packets int) {
	want := (p.sent + packets + 63) / 64
	if more := want - len(p.tally.seen); more > 0 {
		p.tally.seen = append(p.tally.seen, make([]uint64, more)...)
	}
}

// send sends the next packet, and reports whether the system took it.
func (p *phone) send(now time.Time) bool {
	p.mark.number, p.mark.sent = p.sent, now.UnixNano()
	p.mark.put(p.packet[rtpHeader:])
	binary.BigEndian.PutUint16(p.packet[rtpSequence:], uint16(p.sent))
	binary.BigEndian.PutUint32(p.packet[rtpTimestamp:], uint32(p.sent*frameBytes))
	sealed, err := p.secure.seal(p.packet[:])
	if err != nil || unix.Sendto(p.fd, sealed, 0, &p.to) != nil {
		return false
	}
	p.packet[1] = payloadALaw
	p.sent++
	return true
}

// audio is what a packet of ours carries, and its number; nothing, of what is none. An engine adds neither sources nor
// extensions.
func audio(packet []byte) (frame []byte, sequence uint16) {
	if len(packet) < rtpHeader || packet[0] != rtpVersion || packet[1]&payloadMask != payloadALaw {
		return nil, 0
	}
	return packet[rtpHeader:], binary.BigEndian.Uint16(packet[rtpSequence:])
}

// inbox receives packets, one after another, into the same place. It asks the kernel itself: unix.Recvmsg makes an
// address for each packet, which nobody here wants.
type inbox struct {
	buf     [maxDatagram]byte
	control [64]byte
	vector  unix.Iovec
	message unix.Msghdr
}

// receive takes a packet from a socket, with the time of its arrival (Unix time in ns); false when there is none. The
// packet lies in the inbox until the next.
func (b *inbox) receive(fd int) (packet []byte, at int64, ok bool) {
	b.vector.Base = &b.buf[0]
	b.vector.SetLen(len(b.buf))
	b.message = unix.Msghdr{Iov: &b.vector, Control: &b.control[0]}
	b.message.SetIovlen(1)
	b.message.SetControllen(len(b.control))
	n, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.message)), unix.MSG_DONTWAIT)
	if errno != 0 {
		return nil, 0, false
	}
	head := (*unix.Cmsghdr)(unsafe.Pointer(&b.control[0]))
	if b.message.Controllen == 0 || head.Level != unix.SOL_SOCKET || head.Type != unix.SO_TIMESTAMPNS {
		return b.buf[:n], time.Now().UnixNano(), true // a kernel that does not note it
	}
	noted := (*unix.Timespec)(unsafe.Pointer(&b.control[unix.CmsgLen(0)]))
	return b.buf[:n], noted.Nano(), true
}
