// Package observe has a person see what one peer says and is told by SIP, for a while. Package web asks for it when a
// supervisor does, package cmd/hotline wires it to the user agent.
//
// While nobody watches it costs nothing. A watch is shown every message on the wire, on the goroutine that has it, picks
// what is its peer's, and puts that into a bounded queue; Watch itself, on its caller's goroutine, hides numbers and hands
// on. All methods may be called from any goroutine.
package observe

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"hotline/call"
	"hotline/media"
)

const (
	// AtOnce is how many may watch or capture at the same time.
	AtOnce = 4
	// MostMessages is how many messages one who watches is handed before it ends.
	MostMessages = 10000
	// queued is how many messages may wait for who watches. What comes then is counted only.
	queued = 256
	// mostHead is as much of a head as is handed on, in octets.
	mostHead = 8 << 10
	// askEvery is how often it is asked where an agent's phone is.
	askEvery = time.Second
)

// All who may capture at the same time may capture the same call.
const _ = uint(media.MostCaptures - AtOnce)

// Errors of Watch.
var (
	ErrBusy = errors.New("observe: as many watch already as may")
	ErrPeer = errors.New("observe: neither an address, ADDRESS:PORT nor the id of an agent that there is")
)

// Options wire a hub.
type Options struct {
	// Observe has show told of every SIP message until stop is called.
	Observe func(show func(call.WireMessage)) (stop func())
	// PhoneOf is where the phone of an agent is registered.
	PhoneOf func(agent string) (netip.AddrPort, bool)
	// CallOf is the id of the call that a SIP Call-ID belongs to, StreamsOf are those of its legs now, none when it is over.
	CallOf    func(sipCallID string) string
	StreamsOf func(callID string) []media.Stream
}

// Hub knows who watches. Make one with New.
type Hub struct {
	o     Options
	names atomic.Pointer[names]
	all   chan struct{} // holds one for each that watches, or captures
}

// names are what a hub knows of the configuration.
type names struct{ agents, open []string }

// New returns a hub that nobody watches, which knows no agents.
func New(o Options) *Hub {
	h := &Hub{o: o, all: make(chan struct{}, AtOnce)}
	h.names.Store(&names{})
	return h
}

// Know says by their ids which agents there are, and which numbers need not be hidden: the hotline's own, and agents'.
func (h *Hub) Know(agents, open []string) { h.names.Store(&names{agents, open}) }

// peer is who is watched: an address of every port, one with its port, or an agent.
type peer struct {
	addr  netip.Addr
	port  uint16
	agent string
	phone atomic.Pointer[netip.AddrPort] // where an agent's is
	named []byte                         // how an agent stands in a URI
}

// peer reads who is to be watched. A name that is no agent's is refused: it may be a caller's number, which is not to be
// watched by, nor to be in the log; and if it is mistyped, whoever waits for it waits in vain.
func (h *Hub) peer(text string) (*peer, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return &peer{addr: a.Unmap()}, nil
	}
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return &peer{addr: ap.Addr().Unmap(), port: ap.Port()}, nil
	}
	if !slices.Contains(h.names.Load().agents, text) {
		return nil, ErrPeer
	}
	return &peer{agent: text, named: []byte(":" + text + "@")}, nil
}

// is tells whether a message is the peer's. It is on the way of every message. An agent's are those to and from his
// phone, those of a leg with him, and those that name him in From or To, such as a REGISTER that is refused.
func (p *peer) is(m *call.WireMessage) bool {
	remote := m.Remote.Addr().Unmap()
	if p.agent == "" {
		return remote == p.addr && (p.port == 0 || p.port == m.Remote.Port())
	}
	if m.Agent && m.Party == p.agent {
		return true
	}
	if at := p.phone.Load(); at != nil && at.Addr().Unmap() == remote && at.Port() == m.Remote.Port() {
		return true
	}
	head, _, _ := bytes.Cut(m.Data, []byte("\r\n\r\n"))
	if !bytes.Contains(head, p.named) {
		return false
	}
	for line := range bytes.Lines(head) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch strings.ToLower(string(bytes.TrimSpace(name))) {
		case "from", "f", "to", "t":
			if bytes.Contains(value, p.named) {
				return true
			}
		}
	}
	return false
}

// Watch hands on, in the order of the wire, what a peer (an IP address, ADDRESS:PORT or an agent's id) says and is told,
// until ctx is done, show returns an error, which is returned then, or MostMessages were handed on. Heads are without
// credentials and at most 8 KiB, bodies are told by type and length; telephone numbers are hidden unless full.
// What show was too slow for is told as a message with Omitted alone. began is called once messages are taken.
// Errors: ErrPeer, ErrBusy.
func (h *Hub) Watch(ctx context.Context, who string, full bool, began func(), show func(call.SIPMessage) error) (shown int, err error) {
	p, err := h.peer(who)
	if err != nil {
		return 0, err
	}
	select {
	case h.all <- struct{}{}:
		defer func() { <-h.all }()
	default:
		return 0, ErrBusy
	}
	w := &watch{messages: make(chan call.WireMessage, queued)}
	h.ask(p)
	defer h.o.Observe(func(m call.WireMessage) {
		if p.is(&m) {
			w.put(m)
		}
	})()
	began()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for shown < MostMessages {
		select {
		case m := <-w.messages:
			if err := show(h.told(m, full)); err != nil {
				return shown, err
			}
			shown++
		case <-tick.C:
			h.ask(p)
		case <-ctx.Done():
			return shown, nil
		}
		if n := w.missed.Swap(0); n > 0 {
			if err := show(call.SIPMessage{At: time.Now(), Received: true, Omitted: int(n)}); err != nil {
				return shown, err
			}
		}
	}
	return shown, nil
}

// ask asks where an agent's phone is now.
func (h *Hub) ask(p *peer) {
	if p.agent == "" {
		return
	}
	if at, ok := h.o.PhoneOf(p.agent); ok {
		p.phone.Store(&at)
	} else {
		p.phone.Store(nil)
	}
}

// watch is what waits for one who watches.
type watch struct {
	messages chan call.WireMessage
	missed   atomic.Int64
}

func (w *watch) put(m call.WireMessage) {
	select {
	case w.messages <- m:
	default:
		w.missed.Add(1)
	}
}

// told is a message as it is handed on.
func (h *Hub) told(m call.WireMessage, full bool) call.SIPMessage {
	s := m.Summary(mostHead)
	if full {
		return s
	}
	return call.MaskLadder([]call.SIPMessage{s}, h.names.Load().open...)[0]
}
