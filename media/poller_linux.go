package media

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxEvents is how many sockets are looked at per wake. Of each one datagram is taken, and epoll, being
// level-triggered, has it in the next round behind the others if there are more: so a flood at one port gets no more
// of the shard than any other port.
const maxEvents = 128

// poller is an epoll set, which is itself watched by Go's poller: a goroutine that waits for it costs no thread, and is
// woken as any goroutine is. That takes a third off the price of a call (docs/media-engine.md), since a thread that
// waits in the system gives its processor away and must win it back for every packet. Not safe for concurrent use.
type poller struct {
	epoll  int
	file   *os.File // owns epoll
	raw    syscall.RawConn
	look   func(uintptr) bool // takes n events, and reports whether there were some
	n      int
	events [maxEvents]unix.EpollEvent
}

// newPoller makes an empty set; it must be closed. Errors: the system's.
func newPoller() (*poller, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(epoll, true); err != nil { // else Go would not take it for a thing to poll
		return nil, errors.Join(os.NewSyscallError("fcntl", err), unix.Close(epoll))
	}
	p := &poller{epoll: epoll, file: os.NewFile(uintptr(epoll), "epoll")}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		return nil, errors.Join(err, p.close())
	}
	p.look = func(uintptr) bool {
		n, errno := poll(epoll, p.events[:])
		if errno != 0 {
			n = 0
		}
		p.n = n
		return n > 0
	}
	return p, nil
}

// wait parks the goroutine until there are events, and returns them; they hold until it is called again.
func (p *poller) wait() []unix.EpollEvent {
	if err := p.raw.Read(p.look); err == nil {
		return p.events[:p.n]
	}
	n, err := unix.EpollWait(p.epoll, p.events[:], -1) // Go's poller could not have it, so the thread waits itself
	if err != nil {                                    // EINTR; nothing else can be
		return nil
	}
	return p.events[:n]
}

// watch puts a descriptor into the set; its events bear the two numbers. Errors: the system's.
func (p *poller) watch(fd int, about, generation int32) error {
	e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: about, Pad: generation}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &e))
}

// unwatch is the opposite. A descriptor that is closed leaves by itself.
func (p *poller) unwatch(fd int) { _ = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_DEL, fd, nil) }

func (p *poller) close() error { return p.file.Close() }
