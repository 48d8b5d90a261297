package sip

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// backlog is what waits unread in a socket, as a share of its buffer, and how many datagrams the kernel has dropped since
// there was no room (SO_MEMINFO, see linux/sock_diag.h).
func backlog(c syscall.RawConn) (share float64, dropped uint32, ok bool) {
	const (
		rmemAlloc, rcvBuf, drops = 0, 1, 8
		vars                     = 9
	)
	var info [vars]uint32
	size := uint32(unsafe.Sizeof(info))
	errno := unix.EBADF
	err := c.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	})
	if err != nil || errno != 0 || size < uint32(unsafe.Sizeof(info)) || info[rcvBuf] == 0 {
		return 0, 0, false
	}
	return float64(info[rmemAlloc]) / float64(info[rcvBuf]), info[drops], true
}
