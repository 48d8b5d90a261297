package media

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxEvents is how many sockets are looked at per wake. Of each one datagram is taken, and epoll, being
// level-triggered, has it in the next round behind the others if there are more: so a flood at one port gets no more
// of the shard than any other port.
const maxEvents = 128

// poller is an epoll set, which is itself watched by Go's poller: a goroutine that waits for it costs no thread, and is
// woken as any goroutine is. That takes a third off the price of a call (docs/media-engine.md), since a thread that
// waits in the system gives its processor away and must win it back for every packet. But while all processors have
// goroutines to run, Go looks at its poller every 10 ms or later, and has who is found there run behind many others. Its timers
// it looks at whenever it changes goroutines, and who waits for one is the next to run. So there is a time at which wait returns
// whatever Go's poller says, and to wake who waits is to say that it is over. But for wake not safe for concurrent use.
type poller struct {
	epoll  int
	file   *os.File // owns epoll
	raw    syscall.RawConn
	look   func(uintptr) bool // takes n events, and reports whether there were some
	n      int
	events [maxEvents]unix.EpollEvent
	latest time.Time // when wait is to return
	again  bool      // that is to be said to Go again: it was over
}

// newPoller makes an empty set; it must be closed. Errors: the system's, or that Go's poller cannot have it.
func newPoller() (*poller, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(epoll, true); err != nil { // else Go would not take it for a thing to poll
		return nil, errors.Join(os.NewSyscallError("fcntl", err), unix.Close(epoll))
	}
	p := &poller{epoll: epoll, file: os.NewFile(uintptr(epoll), "epoll"), again: true}
	if p.raw, err = p.file.SyscallConn(); err == nil {
		err = p.file.SetReadDeadline(time.Time{})
	}
	if err != nil {
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

// until sets when wait returns although there are no events; the zero time is never.
func (p *poller) until(t time.Time) {
	if !p.again && t.Equal(p.latest) {
		return
	}
	p.latest, p.again = t, false
	_ = p.file.SetReadDeadline(t) // it has taken one before
}

// wait parks the goroutine until there are events, until the time set, or until wake is called after that was set; it returns the
// events, which hold until it is called again.
func (p *poller) wait() []unix.EpollEvent {
	if err := p.raw.Read(p.look); err != nil {
		return p.now()
	}
	return p.events[:p.n]
}

// now is wait that does not wait.
func (p *poller) now() []unix.EpollEvent {
	p.again = true
	_ = p.look(0)
	return p.events[:p.n]
}

// over is a time that is over.
var over = time.Unix(1, 0)

// wake ends a wait, also one that has yet to begin. Anybody may call it, also after close.
func (p *poller) wake() { _ = p.file.SetReadDeadline(over) }

// watch puts a descriptor into the set; its events bear the two numbers. Errors: the system's.
func (p *poller) watch(fd int, about, generation int32) error {
	e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: about, Pad: generation}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &e))
}

// unwatch is the opposite. A descriptor that is closed leaves by itself.
func (p *poller) unwatch(fd int) { _ = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_DEL, fd, nil) }

func (p *poller) close() error { return p.file.Close() }
