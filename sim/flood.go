package sim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
)

// FloodOptions say how a server is to be loaded with calls that are nothing but signalling: INVITE, 200, ACK,
// BYE, 200, with an offer of G.711 that no audio follows.
type FloodOptions struct {
	// Server is where calls go, over UDP.
	Server netip.AddrPort
	// Number is dialled, From calls.
	Number, From string
	// Numbers, if there are any, are dialled in turn instead of Number.
	Numbers []string
	// Hold is how long a call lasts from its 200 on; 0 hangs up at once.
	Hold time.Duration
	// Rate is how many calls begin in a second, evenly; above 0.
	Rate float64
	// For is how long calls begin; those under way then are waited for.
	For time.Duration
	// T1 is the estimate of a round trip behind the resending (RFC 3261 section 17.1.1.1); default 500 ms.
	T1 time.Duration
}

// FloodFigures are what a flood has seen.
type FloodFigures struct {
	Offered   int // calls begun
	Completed int // answered, and their BYE too
	Refused   int // a final response other than 200 to INVITE or BYE
	Silent    int // no final response in 64·T1
	Resent    int // requests sent again
	// Statuses are the final responses to INVITEs, by number dialled and status.
	Statuses map[string]map[int]int
	// Setup are the times from INVITE to 200, sorted.
	Setup []time.Duration
	// Took is the time in which the calls began.
	Took time.Duration
}

// Failed is how many calls did not go as they should.
func (f *FloodFigures) Failed() int { return f.Refused + f.Silent }

// Quantile is the set-up time that a share q of the calls, 0 to 1, stayed within; 0 without calls.
func (f *FloodFigures) Quantile(q float64) time.Duration {
	if len(f.Setup) == 0 {
		return 0
	}
	return f.Setup[min(len(f.Setup)-1, int(q*float64(len(f.Setup))))]
}

// The pace of a flood.
const (
	// floodTick is how often calls are begun and overdue requests looked for.
	floodTick = 2 * time.Millisecond
	// floodBuffer is asked of the kernel for the socket's queue, in octets: the reader may be kept from the
	// processor by the server that it measures.
	floodBuffer = 4 << 20
	defaultT1   = 500 * time.Millisecond
)

// flood is one run; only the goroutine of Flood touches it, but for the socket's reader.
type flood struct {
	o       FloodOptions
	conn    *net.UDPConn
	self    netip.AddrPort
	run     string // tells this run's calls from an earlier one's
	calls   map[int]*floodCall
	waiting []*floodCall // those under way, and some that are over: see overdue
	figures FloodFigures
	held    []*floodCall // answered, in the order in which they are to hang up
}

// Flood loads a server with calls, and returns when the last has ended. Two goroutines do it: this one, which
// sends, and one that reads. When ctx is done no more calls begin, and those under way are given up.
func Flood(ctx context.Context, o FloodOptions) (figures FloodFigures, err error) {
	if !o.Server.IsValid() || o.Rate <= 0 || o.For <= 0 {
		return figures, fmt.Errorf("flood: %w: a server, a rate and a time are needed", ErrBadOptions)
	}
	if o.T1 <= 0 {
		o.T1 = defaultT1
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(o.Server))
	if err != nil {
		return figures, fmt.Errorf("flood: %w", err)
	}
	if err := conn.SetReadBuffer(floodBuffer); err != nil {
		return figures, errors.Join(fmt.Errorf("flood: %w", err), conn.Close())
	}
	self, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return figures, errors.Join(fmt.Errorf("flood: %w", err), conn.Close())
	}
	f := &flood{
		o: o, conn: conn, self: self, calls: make(map[int]*floodCall),
		run: fmt.Sprintf("%x", time.Now().UnixNano()),
	}
	f.figures.Statuses = make(map[string]map[int]int)
	if len(o.Numbers) == 0 {
		f.o.Numbers = []string{o.Number}
	}
	for _, number := range f.o.Numbers {
		f.figures.Statuses[number] = make(map[int]int)
	}
	heard := make(chan heard, 1024)
	done := make(chan struct{})
	go func() {
		defer close(done)
		read(conn, heard)
	}()
	f.loop(ctx, heard)
	err = conn.Close()
	for range heard { // until the reader is gone
	}
	<-done
	slices.Sort(f.figures.Setup)
	return f.figures, err
}

// loop begins calls evenly and serves what is heard, until the last call is over.
func (f *flood) loop(ctx context.Context, heard <-chan heard) {
	begun := time.Now()
	tick := time.NewTicker(floodTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-heard:
			f.take(m)
			continue
		case <-tick.C:
		}
		now := time.Now()
		elapsed := now.Sub(begun)
		if due := int(min(elapsed, f.o.For).Seconds() * f.o.Rate); due > f.figures.Offered {
			f.begin(due-f.figures.Offered, now)
			f.figures.Took = elapsed
		}
		f.hangUp(now)
		f.overdue(now)
		if elapsed >= f.o.For && len(f.calls) == 0 {
			return
		}
	}
}

func (f *flood) begin(n int, now time.Time) {
	for range n {
		c := &floodCall{
			flood: f, index: f.figures.Offered, begun: now, number: f.o.Numbers[f.figures.Offered%len(f.o.Numbers)],
		}
		f.figures.Offered++
		f.calls[c.index] = c
		c.send(c.invite(), now)
		f.waiting = append(f.waiting, c)
	}
}

// hangUp ends the calls that have lasted long enough.
func (f *flood) hangUp(now time.Time) {
	for len(f.held) > 0 && !now.Before(f.held[0].until) {
		f.held[0].bye(now)
		f.held = f.held[1:]
	}
}

// overdue sends again what has had no answer in time, and gives up what had none in 64·T1. Calls are looked at
// in the order in which they began, and those that are over fall out.
func (f *flood) overdue(now time.Time) {
	const giveUp = 64
	kept := f.waiting[:0]
	for _, c := range f.waiting {
		if c.over {
			continue
		}
		kept = append(kept, c)
		switch {
		case c.again.IsZero() || now.Before(c.again):
		case now.Sub(c.first) >= giveUp*f.o.T1:
			f.figures.Silent++
			c.end()
		default:
			f.figures.Resent++
			c.resend(now)
		}
	}
	f.waiting = kept
}

// take serves one response.
func (f *flood) take(m heard) {
	if c := f.calls[m.index]; c != nil && m.run == f.run {
		c.take(m)
	}
}
