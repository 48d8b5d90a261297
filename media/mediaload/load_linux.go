package mediaload

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"hotline/media"
)

const (
	// tick is how often the phones look whose turn it is to send, and what has come.
	tick = 250 * time.Microsecond
	// holdUp is how late the load may be and still make up for it: phones do not send in bursts because the machine had
	// no time for them. After more, all of them go on as much later.
	holdUp = 5 * time.Millisecond
	// restPatience is how long the rest is waited for while nothing more comes.
	restPatience = 3 * time.Second
)

// Options say what a load is like.
type Options struct {
	// Calls is how many there are, from 1.
	Calls int
	// Alone: a call has a caller only, who speaks and is to hear the [Clip] of the call, paced. Else it has two parties,
	// who are to hear each other.
	Alone bool
	// Secure: audio is encrypted (SRTP with keys in the descriptions, RFC 4568), by AES_CM_128_HMAC_SHA1_80.
	Secure bool
	// Address is where the phones are (IPv4), Ports where they may bind.
	Address netip.Addr
	Ports   media.PortRange
}

// Figures are what a load has seen.
type Figures struct {
	Counts
	// Sent is how many packets the phones sent; Refused is how many the system did not take.
	Sent, Refused int
	// Latency is how long packets of the steady part were under way, from before their sending to their arrival at the
	// socket; of those that the server makes, how far they came after their turn in a pace of 20 ms.
	Latency Spread
	// Lateness is how far behind its own pace the load sent, in all; Held is how much it gave up making up for.
	Lateness Spread
	Held     time.Duration
}

// Load is calls whose phones are all in this process: a socket for each, one goroutine for all. Not safe for concurrent
// use.
type Load struct {
	o       Options
	phones  []*phone // those of all calls' first sides, then those of the second
	reports *phone   // where all of them take RTCP; nobody reads it
	epoll   int
	clock   int // a timerfd
	events  []unix.EpollEvent
	in      inbox
	figures Figures
	steady  int64 // Unix time in ns from which latency counts; 0 before Steady
}

// Open binds the phones. The load must be closed. Errors: the system's; [media.ErrNoPorts].
func Open(o Options) (l *Load, err error) {
	if o.Calls < 1 || !o.Address.Is4() {
		return nil, fmt.Errorf("load of %d calls at %s: at least one call, and an IPv4 address", o.Calls, o.Address)
	}
	l = &Load{o: o, epoll: -1, clock: -1, events: make([]unix.EpollEvent, 512)}
	l.figures.Latency, l.figures.Lateness = newSpread(), newSpread()
	defer func() {
		if err != nil {
			l, err = nil, errors.Join(fmt.Errorf("open load: %w", err), l.Close())
		}
	}()
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return l, err
	}
	if l.clock, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC); err != nil {
		return l, err
	}
	every := unix.NsecToTimespec(int64(tick))
	if err = unix.TimerfdSettime(l.clock, 0, &unix.ItimerSpec{Interval: every, Value: every}, nil); err != nil {
		return l, err
	}
	free := ports{next: o.Ports.Lo, last: o.Ports.Hi}
	if l.reports, err = newPhone(o.Address, &free); err != nil {
		return l, err
	}
	for i := range o.Calls * l.sides() {
		var p *phone
		if p, err = newPhone(o.Address, &free); err != nil {
			return l, err
		}
		l.phones = append(l.phones, p)
		call, side := i%o.Calls, uint8(i/o.Calls)
		hears := 1 - side
		if o.Alone {
			hears = sideServer
		}
		p.begin(call, side, hears)
		if o.Secure {
			if p.secure, err = newSecure(); err != nil {
				return l, err
			}
		}
		event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)} // the phone's place, not its descriptor
		if err = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, p.fd, &event); err != nil {
			return l, err
		}
	}
	return l, nil
}

// sides is how many phones a call has.
func (l *Load) sides() int {
	if l.o.Alone {
		return 1
	}
	return 2
}

// Offers are the descriptions of a call's phones, counted from 0.
func (l *Load) Offers(call int) (offers [][]byte) {
	for side := range l.sides() {
		p := l.phones[side*l.o.Calls+call]
		offers = append(offers, describe(party{p.local, l.reports.local.Port(), p.secure.line()}))
	}
	return offers
}

// Connect takes the answers to a call's offers. What has come meanwhile is taken in, so that no socket runs full while
// many calls are connected. Errors: an answer that is not understood; the system's.
func (l *Load) Connect(call int, answers [][]byte) error {
	if len(answers) != l.sides() {
		return fmt.Errorf("connect call %d: %w: %d answers", call, errBadSDP, len(answers))
	}
	for side, answer := range answers {
		if err := l.phones[side*l.o.Calls+call].connect(answer); err != nil {
			return fmt.Errorf("connect call %d: %w", call, err)
		}
	}
	return l.receive()
}

// Talk has every phone send a packet each 20 ms, their turns spread evenly over the 20 ms, for a time rounded to them,
// and returns how many packets were sent. Errors: ctx's, the system's.
func (l *Load) Talk(ctx context.Context, d time.Duration) (sent int, err error) {
	rounds := int(d / media.FrameDuration)
	for _, p := range l.phones {
		p.expect(rounds)
	}
	before := l.figures.Sent
	turn := media.FrameDuration / time.Duration(len(l.phones))
	begun := time.Now()
	for k := 0; k < rounds*len(l.phones); {
		if err := l.wait(ctx); err != nil {
			return l.figures.Sent - before, err
		}
		now := time.Now()
		for k < rounds*len(l.phones) {
			due := begun.Add(time.Duration(k/len(l.phones))*media.FrameDuration + time.Duration(k%len(l.phones))*turn)
			late := now.Sub(due)
			if late < 0 {
				break
			}
			l.figures.Lateness.add(late)
			if late > holdUp {
				begun = begun.Add(late)
				l.figures.Held += late
			}
			now = time.Now()
			l.send(l.phones[k%len(l.phones)], now)
			k++
		}
		if err := l.receive(); err != nil {
			return l.figures.Sent - before, err
		}
	}
	return l.figures.Sent - before, nil
}

func (l *Load) send(p *phone, now time.Time) {
	if p.send(now) {
		l.figures.Sent++
	} else {
		l.figures.Refused++
	}
}

// wait waits for the next tick.
func (l *Load) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	default:
	}
	var ticks [8]byte
	if _, err := unix.Read(l.clock, ticks[:]); err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("wait for a tick: %w", err)
	}
	return nil
}

// receive takes in what has come: a packet from each phone at most, so that what is to be sent does not wait for long.
func (l *Load) receive() error {
	for taken := 0; taken < len(l.phones); {
		n, err := unix.EpollWait(l.epoll, l.events, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("look for packets: %w", err)
		}
		for _, e := range l.events[:n] {
			l.hear(l.phones[e.Fd])
		}
		if n < len(l.events) {
			break
		}
		taken += n
	}
	return nil
}

func (l *Load) hear(p *phone) {
	packet, at, ok := l.in.receive(p.fd)
	if !ok {
		return
	}
	frame, sequence := audio(p.secure.unseal(packet))
	due, ok := p.tally.hear(frame, sequence, at, l.steady == 0)
	if ok && l.steady != 0 && due >= l.steady {
		l.figures.Latency.add(time.Duration(at - due))
	}
}

// Steady says that from now on latency counts.
func (l *Load) Steady() { l.steady = time.Now().UnixNano() }

// Rest takes in what is still under way, until all has come or nothing has for a while, and returns what was seen.
// Errors: ctx's, the system's.
func (l *Load) Rest(ctx context.Context) (Figures, error) {
	received, changed := -1, time.Now()
	for {
		if err := l.receive(); err != nil {
			return l.figures, err
		}
		l.count()
		if l.figures.Received != received {
			received, changed = l.figures.Received, time.Now()
		}
		if l.o.Alone || l.figures.Lost == 0 || time.Since(changed) > restPatience {
			return l.figures, nil
		}
		if err := l.wait(ctx); err != nil {
			return l.figures, err
		}
	}
}

// count adds up what the phones have.
func (l *Load) count() {
	l.figures.Counts = Counts{}
	for i, p := range l.phones {
		far := l.phones[(i+l.o.Calls)%len(l.phones)]
		l.figures.Add(p.tally.closed(far.sent))
	}
}

// Close takes the phones down.
func (l *Load) Close() error {
	var errs []error
	for _, p := range append(l.phones, l.reports) {
		if p != nil {
			errs = append(errs, unix.Close(p.fd))
		}
	}
	for _, fd := range []int{l.epoll, l.clock} {
		if fd >= 0 {
			errs = append(errs, unix.Close(fd))
		}
	}
	l.phones, l.reports, l.epoll, l.clock = nil, nil, -1, -1
	return errors.Join(errs...)
}
