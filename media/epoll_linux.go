package media

import (
	"errors"
	"net/netip"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// epoll is the transport of Linux: bare sockets, and a shard for each processor that Go uses.
type epoll struct {
	shards  []*shard
	running sync.WaitGroup
}

// New starts the engine that is best on this system, here NewEpoll; it must be closed. Errors: as there.
func New(o Options) (Engine, error) { return NewEpoll(o) }

// NewEpoll starts an engine on epoll(7); it must be closed. Errors: ErrBadOptions, the registry's or the system's.
func NewEpoll(o Options) (Engine, error) {
	return newCore(o, func(c *core) (transport, error) { return newEpoll(c, runtime.GOMAXPROCS(0)) })
}

func newEpoll(c *core, shards int) (*epoll, error) {
	t := &epoll{}
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

// serve implements transport: on the shard that has least to do.
func (t *epoll) serve(l *line) error {
	emptiest := t.shards[0]
	for _, s := range t.shards[1:] {
		if s.lines.Load() < emptiest.lines.Load() {
			emptiest = s
		}
	}
	d := l.sockets.(*descriptors)
	emptiest.lines.Add(1)
	d.home.Store(emptiest)
	err := ErrClosed
	t.do(l, func() { err = emptiest.adopt(d) })
	return err
}

// do implements transport.
func (t *epoll) do(l *line, f func()) bool {
	done := make(chan bool, 1)
	home := l.sockets.(*descriptors).home.Load()
	return home.mail.post(command{line: l, f: f, done: done}, nil) && <-done
}

// gather implements transport.
func (t *epoll) gather(l, to *line) bool {
	open := false
	t.do(l, func() {
		if open = !l.closed; !open {
			return
		}
		d := l.sockets.(*descriptors)
		from, target := d.home.Load(), to.sockets.(*descriptors).home.Load()
		if from != target {
			from.move(d, target)
		}
	})
	return open
}

// end implements transport.
func (t *epoll) end() {
	for _, s := range t.shards {
		s.mail.post(command{f: func() { s.ended = true }}, nil)
	}
	t.running.Wait()
}
