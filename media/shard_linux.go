package media

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// maxEvents is how many sockets are looked at per wake. Of each one datagram is taken, and epoll, being
// level-triggered, has it in the next round behind the others if there are more: so a flood at one port gets no more
// of the shard than any other port.
const maxEvents = 128

// shard is one goroutine of the epoll engine with the lines that it owns: it waits for their sockets, the timer of
// its wheel and its mailbox, and takes what has come all the way. All fields but mail and lines are its own.
type shard struct {
	log  *zap.Logger
	mail mailbox
	// lines is how many lines it has or is about to get.
	lines atomic.Int64

	epoll, timer int
	armed        bool
	ended        bool
	wheel        wheel
	bench        workbench
	tally        *tally
	buf          [maxDatagram]byte
	from         sockaddr
	events       [maxEvents]unix.EpollEvent

	// slots are the lines whose sockets are in the epoll set; an event names one, and its generation, which changes with
	// its owner: what was reported of a socket that was then closed, or moved, reaches nobody else.
	slots []slot
	free  []int
}

type slot struct {
	owner      *descriptors // nil: free
	generation int32
}

// What an event is about: a slot's RTP or RTCP socket, or one of these.
const (
	eventMail  = -1
	eventTimer = -2
)

// newShard makes one, which then must be run. Errors: the system's.
func newShard(log *zap.Logger, t *tally) (*shard, error) {
	s := &shard{log: log, tally: t, epoll: -1, timer: -1}
	s.mail.event = -1
	var err error
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if s.mail.event, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return nil, errors.Join(os.NewSyscallError("eventfd", err), s.close())
	}
	if s.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return nil, errors.Join(os.NewSyscallError("timerfd_create", err), s.close())
	}
	if err = errors.Join(s.watch(s.mail.event, eventMail, 0), s.watch(s.timer, eventTimer, 0)); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// close closes what newShard opened.
func (s *shard) close() error {
	var errs []error
	for _, fd := range []int{s.timer, s.mail.event, s.epoll} {
		if fd >= 0 {
			errs = append(errs, os.NewSyscallError("close", unix.Close(fd)))
		}
	}
	return errors.Join(errs...)
}

// watch puts a descriptor into the epoll set.
func (s *shard) watch(fd int, about, generation int32) error {
	e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: about, Pad: generation}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &e))
}

// run is the shard's goroutine. It returns when the command to end has been done.
func (s *shard) run() {
	for !s.ended {
		n := s.wait()
		now := time.Now()
		for i := range n {
			s.event(&s.events[i], now)
		}
		if s.mail.pending.Load() {
			s.commands()
		}
	}
	for _, c := range s.mail.end() {
		c.answer(false)
	}
	if err := s.close(); err != nil {
		s.log.Warn("media shard not closed well", zap.Error(err))
	}
}

// wait returns how many events there are. While there is work it does not tell the scheduler that it waits.
func (s *shard) wait() int {
	if n, errno := poll(s.epoll, s.events[:]); n > 0 && errno == 0 {
		return n
	}
	n, err := unix.EpollWait(s.epoll, s.events[:], -1)
	if err != nil { // EINTR; nothing else can be
		return 0
	}
	return n
}

func (s *shard) event(e *unix.EpollEvent, now time.Time) {
	switch {
	case e.Fd == eventMail:
		var count [8]byte
		_, _ = unix.Read(s.mail.event, count[:]) // to be woken again; that there are commands the flag says
	case e.Fd == eventTimer:
		s.turn()
	default:
		if k := &s.slots[e.Fd>>1]; k.owner != nil && k.generation == e.Pad {
			s.read(k.owner, e.Fd&1 == 1, now)
		}
	}
}

// read takes one datagram from a line's RTP or RTCP socket.
func (s *shard) read(d *descriptors, control bool, now time.Time) {
	fd := d.rtp
	if control {
		fd = d.rtcp
	}
	n, errno := receive(fd, s.buf[:], &s.from)
	switch errno {
	case 0:
	case unix.EAGAIN, unix.EINTR: // its checksum was wrong, say
		return
	default:
		s.failed(d, fd, errno)
		return
	}
	d.failures = 0
	if control {
		d.line.controlContained(s.buf[:n], s.from.get(), now)
		return
	}
	d.line.datagram(&s.bench, s.buf[:n], s.from.get(), now)
}

// failed gives up a socket that only fails.
func (s *shard) failed(d *descriptors, fd int, errno unix.Errno) {
	if d.failures++; d.failures < readFailures {
		return
	}
	s.unwatch(fd)
	s.log.Error("socket fails, reading given up", zap.Stringer("local", d.line.stream.local), zap.Error(errno))
}

func (s *shard) unwatch(fd int) { _ = unix.EpollCtl(s.epoll, unix.EPOLL_CTL_DEL, fd, nil) }

// turn turns the wheel once. While it is in arrears the timer fires at once, and packets are looked at in between.
func (s *shard) turn() {
	s.wheel.turn(s.bench.frame[:], time.Now)
	s.arm()
}

// arm sets the timer to the wheel's deadline, or stops it when there is nobody to turn for.
func (s *shard) arm() {
	var when unix.ItimerSpec
	if s.armed = len(s.wheel.lines) > 0; s.armed {
		when.Value = unix.NsecToTimespec(max(1, int64(time.Until(s.wheel.due))))
	}
	if err := unix.TimerfdSettime(s.timer, 0, &when, nil); err != nil {
		s.log.Error("timer of the media wheel not set", zap.Error(err))
	}
}

// commands does what was posted.
func (s *shard) commands() {
	for _, c := range s.mail.take() {
		if c.line != nil {
			if home := c.line.sockets.(*descriptors).home.Load(); home != s {
				if !home.mail.post(c, nil) {
					c.answer(false)
				}
				continue
			}
		}
		s.command(c)
	}
}

// command does one. A fault in it is the line's.
func (s *shard) command(c command) {
	defer c.answer(true)
	if c.line != nil {
		defer c.line.contain("media: command")
	}
	c.f()
}

func (c command) answer(done bool) {
	if c.done != nil {
		c.done <- done
	}
}

// adopt makes a line the shard's own. Errors: the system's, and then it is not.
func (s *shard) adopt(d *descriptors) error {
	slotOf := s.vacant()
	k := &s.slots[slotOf]
	for i, fd := range []int{d.rtp, d.rtcp} {
		if err := s.watch(fd, int32(slotOf<<1|i), k.generation); err != nil {
			s.unwatch(d.rtp)
			s.free = append(s.free, slotOf)
			return fmt.Errorf("watch a socket: %w", err)
		}
	}
	k.owner, d.slot, d.line.tally = d, slotOf, s.tally
	s.wheel.add(d.line)
	if !s.armed {
		s.wheel.due = time.Now()
		s.arm()
	}
	return nil
}

// vacant takes a free slot.
func (s *shard) vacant() int {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		return i
	}
	s.slots = append(s.slots, slot{})
	return len(s.slots) - 1
}

// vacate takes a line from the shard, whose sockets may still be watched.
func (s *shard) vacate(d *descriptors) {
	if d.line.seat == nowhere {
		return // it was not adopted
	}
	k := &s.slots[d.slot]
	k.owner = nil
	k.generation++
	s.free = append(s.free, d.slot)
	s.wheel.remove(d.line)
	s.lines.Add(-1)
}

// move gives a line to another shard. What has come for it meanwhile waits in its sockets.
func (s *shard) move(d *descriptors, to *shard) {
	s.unwatch(d.rtp)
	s.unwatch(d.rtcp)
	s.vacate(d)
	to.lines.Add(1)
	to.mail.post(command{line: d.line, f: func() { to.arrive(d) }}, func() { d.home.Store(to) })
}

// arrive adopts a line that was moved here. One that cannot be is closed.
func (s *shard) arrive(d *descriptors) {
	if err := s.adopt(d); err != nil {
		s.lines.Add(-1)
		d.line.fail("media: move", err)
	}
}
