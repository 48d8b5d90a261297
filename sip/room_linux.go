package sip

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// roomWanted is what a UDP socket of SIP asks for to keep what is not read yet, in octets. The kernel takes twice as much (see
// socket(7)) and charges a datagram with all the memory that it takes, some 2 KiB: so it holds a flood of 2,000 a second for
// half a second in which the machine does not run us. What is dropped is anybody's, a trunk's INVITE too, and comes again
// after T1 only.
const roomWanted = 1 << 20

// enlarge has a socket's buffer enlarged as far as the system lets us (net.core.rmem_max). Where it is larger by default
// (net.core.rmem_default), it stays so.
func enlarge(c syscall.RawConn) error {
	most, err := roomGiven()
	if err != nil {
		return fmt.Errorf("find out how large a buffer may be: %w", err)
	}
	var failed error
	err = c.Control(func(fd uintptr) {
		now, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
		if err != nil || now >= most {
			failed = err
			return
		}
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, roomWanted)
	})
	return errors.Join(err, failed)
}

// roomGiven is what the kernel makes of roomWanted. It tells no otherwise than by doing it, here to a socket of no use: one that
// has more already would have less then, and could not be given it back.
func roomGiven() (most int, err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, roomWanted); err != nil {
		return 0, err
	}
	return unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
}
