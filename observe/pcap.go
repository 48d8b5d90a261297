package observe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"hotline/call"
	"hotline/media"
)

const (
	// collectEvery is how often what was captured is written, and the call asked for legs that are new.
	collectEvery = 50 * time.Millisecond
	// afterEnd is how long after the end of a call's last leg it is captured still: for the answer to a BYE.
	afterEnd = time.Second
	// mostFile bounds what is written of one call, in octets: more than ten minutes of two legs.
	mostFile = 64 << 20
	// waiting is how many SIP messages may wait to be written.
	waiting = 1024
)

// ErrNoCall is returned for a call that is not in progress here.
var ErrNoCall = errors.New("observe: no such call in progress")

// Pcap writes what a call says from now on to w, until ctx is done, the call is over, w fails or 64 MiB were written: SIP
// messages as a call.WireMessage has them, numbers in full, and the RTP and RTCP of its legs as it is on the wire, encrypted
// if it is there; the keys to that are not written. A packet says how many before it are missing (epb_dropcount), the last one
// has a comment that says why there are no more. began is called once packets are taken. Errors: ErrNoCall, ErrBusy; w's.
//
// The format is pcapng, of IP packets whose headers are made up: a message over TCP is one segment, whatever it was parted
// into, and of a connection that we made our address is the unspecified one, since it is not known. A message over TLS or a
// WebSocket is in clear and has no IP below it, in which no reader would look for SIP: it is of the link type by which
// Wireshark exports messages.
func (h *Hub) Pcap(ctx context.Context, id string, w io.Writer, began func()) (done call.Capture, err error) {
	if len(h.o.StreamsOf(id)) == 0 {
		return done, ErrNoCall
	}
	select {
	case h.all <- struct{}{}:
		defer func() { <-h.all }()
	default:
		return done, ErrBusy
	}
	c := &collector{
		h: h, id: id, messages: make(chan call.WireMessage, waiting), strays: make(chan call.WireMessage, waiting), rtp: media.NewCapture(),
	}
	defer h.o.Observe(c.show)()
	defer c.release()
	c.attach()
	began()
	file, err := newFile(w)
	if err != nil {
		return done, err
	}
	done.End, err = c.run(ctx, file)
	done.Packets, done.Missed, done.Unsure = file.packets, file.missed, int(c.unsure.Load())
	if err == nil {
		err = file.end(done)
	}
	if err != nil {
		done.End = ""
		return done, fmt.Errorf("write a capture of call %s: %w", id, err)
	}
	return done, nil
}

// run collects until there is a reason not to.
func (c *collector) run(ctx context.Context, file *file) (call.CaptureEnd, error) {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for last := time.Now(); file.octets < mostFile; {
		var end call.CaptureEnd
		select {
		case <-tick.C:
		case <-ctx.Done():
			end = call.CaptureStopped
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				end = call.CaptureTimeOver
			}
		}
		if c.attach() {
			last = time.Now()
		} else if time.Since(last) > afterEnd {
			end = call.CaptureCallOver
		}
		if err := c.collect(file); err != nil {
			return "", err
		}
		if end != "" {
			return end, nil
		}
	}
	return call.CaptureFull, nil
}

// collector gathers what belongs to one call.
type collector struct {
	h        *Hub
	id       string
	messages chan call.WireMessage // of the call
	strays   chan call.WireMessage // of no call as yet: it may be a new leg's. A flood of them takes no room of the others
	missed   atomic.Int64
	unsure   atomic.Int64
	rtp      *media.Capture
	streams  []media.Capturing // that it has
}

// show is on the way of every SIP message.
func (c *collector) show(m call.WireMessage) {
	into, lost := c.messages, &c.missed
	switch {
	case m.CallID == "":
		return
	case m.Call == "" && opensDialog(m.Data):
		into, lost = c.strays, &c.unsure
	case m.Call != c.id:
		return
	}
	select {
	case into <- m:
	default:
		lost.Add(1)
	}
}

// opensDialog tells whether a message is of a method that a leg may begin with. A request has it at its beginning, whatever
// is in the rest; an answer in its CSeq.
func opensDialog(message []byte) bool {
	if !bytes.HasPrefix(message, []byte("SIP/2.0 ")) {
		return bytes.HasPrefix(message, []byte("INVITE "))
	}
	for line := range bytes.Lines(message) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(bytes.TrimSpace(name), []byte("CSeq")) {
			return bytes.HasSuffix(bytes.TrimSpace(value), []byte("INVITE"))
		}
	}
	return false
}

// attach captures the call's streams; false: it has none any more.
func (c *collector) attach() bool {
	streams := c.h.o.StreamsOf(c.id)
	for _, s := range streams {
		one, ok := s.(media.Capturing)
		if ok && !slices.Contains(c.streams, one) && one.Capture(c.rtp) { // else it is closed: no more than AtOnce have it
			c.streams = append(c.streams, one)
		}
	}
	return len(streams) > 0
}

func (c *collector) release() {
	for _, s := range c.streams {
		s.Release(c.rtp)
	}
}

// collect writes what was gathered since the last time, in the order of the wire.
func (c *collector) collect(f *file) error {
	var all []frame
	for _, queue := range []chan call.WireMessage{c.messages, c.strays} {
		for n := len(queue); n > 0; n-- {
			m := <-queue
			if m.Call == c.id || c.h.o.CallOf(m.CallID) == c.id {
				all = append(all, frame{m.At, carrierOf(m.Transport), source(m.Received, m.Remote, m.Local), source(m.Received, m.Local, m.Remote), m.Data})
			}
		}
	}
	missed := int(c.missed.Swap(0))
	missed += c.rtp.Take(func(p media.Captured) {
		all = append(all, frame{p.At, inDatagram, source(p.Received, p.Remote, p.Local), source(p.Received, p.Local, p.Remote), slices.Clone(p.Data)})
	})
	slices.SortStableFunc(all, func(a, b frame) int { return a.at.Compare(b.at) })
	for _, one := range all {
		if err := f.write(one); err != nil {
			return err
		}
	}
	f.missed += missed // they came after those that there was room for
	return f.flush()
}

// source is the first of two if it was received, else the second.
func source[T any](received bool, a, b T) T {
	if received {
		return a
	}
	return b
}
