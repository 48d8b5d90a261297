package media

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// errPortTaken is what a bind function returns for a pair that another program holds: the pool goes on
// to the next one.
var errPortTaken = errors.New("port taken by another program")

// portPool hands out the even/odd port pairs of a range, going round it, so that a pair is used again
// as late as possible, and never before it has rested. Safe for any goroutine.
type portPool struct {
	rest  time.Duration
	first int

	mu   sync.Mutex
	next int // index of the pair to try first
	// until holds, for each pair, the instant from which it may be used again; out says that a stream has it.
	until []time.Time
	out   []bool
}

// newPortPool begins at a random pair, so that a process started again does not at once re-use the
// ports of the calls it has just lost.
func newPortPool(r PortRange, rest time.Duration) *portPool {
	first, count := r.pairs()
	return &portPool{
		rest: rest, first: first, next: rand.IntN(count),
		until: make([]time.Time, count), out: make([]bool, count),
	}
}

// take reserves a pair for which bind succeeds and returns its even port. Errors: ErrNoPorts when
// none is free, or what bind returned, unless that is errPortTaken.
func (p *portPool) take(bind func(rtpPort uint16) error) (uint16, error) {
	for range p.until {
		i, ok := p.reserve()
		if !ok {
			return 0, ErrNoPorts
		}
		port := uint16(p.first + 2*i)
		err := bind(port)
		if err == nil {
			return port, nil
		}
		p.giveBack(i, time.Time{})
		if !errors.Is(err, errPortTaken) {
			return 0, err
		}
	}
	return 0, ErrNoPorts
}

// release takes a pair back and lets it rest.
func (p *portPool) release(rtpPort uint16) {
	p.giveBack((int(rtpPort)-p.first)/2, time.Now().Add(p.rest))
}

func (p *portPool) reserve() (int, bool) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for range p.until {
		i := p.next
		p.next = (p.next + 1) % len(p.until)
		if !p.out[i] && !now.Before(p.until[i]) {
			p.out[i] = true
			return i, true
		}
	}
	return 0, false
}

func (p *portPool) giveBack(i int, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out[i], p.until[i] = false, until
}
