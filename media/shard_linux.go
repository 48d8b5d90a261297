package media

import (
	"errors"
	"os"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// shard is one goroutine of the epoll engine with the lines that it owns: it waits for their sockets, the timer of
// its wheel and its mailbox, and takes what has come all the way. All fields but mail and lines are its own.
type shard struct {
	log  *zap.Logger
	mail mailbox
	// lines is how many lines it has or is about to get.
	lines atomic.Int64

	poller *poller
	slots  slots
	tally  *tally
	wheel  wheel
	timer  int  // a timerfd(2)
	armed  bool // it will fire
	ended  bool

	bench workbench
	buf   [maxDatagram]byte
	from  sockaddr
}

// eventTimer is what an event is about, if not a slot's RTP or RTCP socket.
const eventTimer = -1

// timerSpare is how long the shard's own timer, which is exact, may take to wake it. When all processors are busy it is Go's
// that does, see poller.
const timerSpare = time.Millisecond

// newShard makes one, which then must be run. Errors: the system's.
func newShard(log *zap.Logger, t *tally) (*shard, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	s := &shard{log: log, tally: t, poller: p, mail: mailbox{wake: p.wake}}
	if s.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return nil, errors.Join(os.NewSyscallError("timerfd_create", err), p.close())
	}
	if err = p.watch(s.timer, eventTimer, 0); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// close closes what newShard opened.
func (s *shard) close() error {
	return errors.Join(os.NewSyscallError("close", unix.Close(s.timer)), s.poller.close())
}

// run is the shard's goroutine. It returns when the command to end has been done.
func (s *shard) run() {
	for !s.ended {
		events := s.wait()
		now := time.Now()
		for i := range events {
			s.event(&events[i], now)
		}
		if s.armed && now.Sub(s.wheel.due) >= timerSpare {
			s.turn()
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

// wait returns when there is something to do.
func (s *shard) wait() []unix.EpollEvent {
	latest := time.Time{}
	if s.armed {
		latest = s.wheel.due.Add(timerSpare)
	}
	s.poller.until(latest)
	if s.mail.pending.Load() { // who posted it may have woken the shard before the time was set, and not after it
		return s.poller.now()
	}
	return s.poller.wait()
}

func (s *shard) event(e *unix.EpollEvent, now time.Time) {
	if e.Fd == eventTimer {
		s.turn()
		return
	}
	if d := s.slots.owner(e.Fd>>1, e.Pad); d != nil {
		s.read(d, e.Fd&1 == 1, now)
	}
}

// read takes one datagram from a line's RTP or RTCP socket.
func (s *shard) read(d *descriptors, control bool, now time.Time) {
	fd := d.rtp
	if control {
		fd = d.rtcp
	}
	n, errno := receive(fd, s.buf[:], &s.from)
	if errno == unix.EAGAIN || errno == unix.EINTR {
		return // its checksum was wrong, say
	}
	if errno != 0 {
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
	s.poller.unwatch(fd)
	s.log.Error("socket fails, reading given up",
		zap.Stringer("local", d.line.stream.local), zap.Error(errno))
}

// turn turns the wheel once. While it is in arrears the timer fires at once, and packets are looked at in between.
func (s *shard) turn() {
	s.wheel.turn(s.bench.frame[:], time.Now)
	s.arm()
}

// arm sets the timer to the wheel's deadline, or stops it when there is nobody to turn for.
func (s *shard) arm() {
	var when unix.ItimerSpec
	if s.armed = len(s.wheel.places) > 0; s.armed {
		when.Value = unix.NsecToTimespec(max(1, int64(time.Until(s.wheel.due))))
	} else {
		s.wheel.pace.set(time.Time{})
	}
	if err := unix.TimerfdSettime(s.timer, 0, &when, nil); err != nil {
		s.log.Error("timer of the media wheel not set", zap.Error(err))
	}
}

// commands does what was posted; what is about a line that has moved on is sent after it.
func (s *shard) commands() {
	for _, c := range s.mail.take() {
		home := s
		if c.line != nil {
			home = homeOf(c.line)
		}
		switch {
		case home == s:
			s.command(c)
		case !home.mail.post(c, nil):
			c.answer(false)
		}
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
