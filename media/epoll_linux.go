package media

import (
	"errors"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// epoll is the transport of Linux: bare sockets, and a shard for each processor that Go uses.
type epoll struct {
	shards  []*shard
	full    int64 // how many lines a shard has before the next one gets any
	running sync.WaitGroup
}

// fullShard is how many lines a shard has before the next one gets any: those of 300 calls. The more packets come per wake,
// the less each costs; but with all that one processor can do, they wait (docs/media-engine.md).
const fullShard = 600

// New starts the engine that is best on this system, here NewEpoll; it must be closed. Errors: as there.
func New(o Options) (Engine, error) { return NewEpoll(o) }

// NewEpoll starts an engine on epoll(7); it must be closed. Errors: ErrBadOptions, the registry's or the system's.
func NewEpoll(o Options) (Engine, error) {
	return newCore(o, func(c *core) (transport, error) { return newEpoll(c, runtime.GOMAXPROCS(0)) })
}

func newEpoll(c *core, shards int) (*epoll, error) {
	t := &epoll{full: fullShard}
	for range shards {
		s, err := newShard(c.log, c.metrics.tally())
		if err != nil {
			t.end()
			return nil, err
		}
		t.shards = append(t.shards, s)
		t.running.Go(s.run)
	}
	return t, nil
}

// bind implements transport.
func (t *epoll) bind(l *line, rtp, rtcp netip.AddrPort) error {
	voice, err := bindDescriptor(rtp)
	if err != nil {
		return err
	}
	control, err := bindDescriptor(rtcp)
	if err != nil {
		return errors.Join(err, os.NewSyscallError("close", unix.Close(voice)))
	}
	l.sockets = &descriptors{line: l, rtp: voice, rtcp: control}
	return nil
}

// serve implements transport.
func (t *epoll) serve(l *line) error {
	home, d := t.place(), l.sockets.(*descriptors)
	home.lines.Add(1)
	d.home.Store(home)
	err := ErrClosed
	t.do(l, func() { err = home.adopt(d) })
	return err
}

// place is the shard for one line more: the first that is not full, or else that which has least to do.
func (t *epoll) place() *shard {
	emptiest := t.shards[0]
	for _, s := range t.shards {
		n := s.lines.Load()
		if n < t.full {
			return s
		}
		if n < emptiest.lines.Load() {
			emptiest = s
		}
	}
	return emptiest
}

// do implements transport.
func (t *epoll) do(l *line, f func()) bool {
	done := make(chan bool, 1)
	return homeOf(l).mail.post(command{line: l, f: f, done: done}, nil) && <-done
}

// gather implements transport: on the shard of the first, or, if that has more than enough, where a new line would go.
func (t *epoll) gather(stay bool, lines ...*line) bool {
	target := homeOf(lines[0])
	apart := slices.ContainsFunc(lines, func(l *line) bool { return homeOf(l) != target })
	if apart && !stay && target.lines.Load() >= t.full {
		target = t.place()
	}
	for _, l := range lines {
		open := false
		t.do(l, func() {
			if open = !l.closed; open && homeOf(l) != target {
				homeOf(l).move(l.sockets.(*descriptors), target)
			}
		})
		if !open {
			return false
		}
	}
	return true
}

// homeOf is the shard that has a line. It stays that while the line is in no bridge or room that is being made.
func homeOf(l *line) *shard { return l.sockets.(*descriptors).home.Load() }

// paces implements transport.
func (t *epoll) paces() (paces []*pace) {
	for _, s := range t.shards {
		paces = append(paces, &s.wheel.pace)
	}
	return paces
}

// end implements transport.
func (t *epoll) end() {
	for _, s := range t.shards {
		s.mail.post(command{f: func() { s.ended = true }}, nil)
	}
	t.running.Wait()
}
