package sip

import (
	"bytes"
	"net/netip"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"

	"hotline/call"
	"hotline/media"
)

// observers are who is shown every SIP message as it crosses a socket. With none, a message costs one load of a
// pointer. The zero value has none; its methods may be called from any goroutine.
type observers struct {
	mu  sync.Mutex // held to change who they are
	all atomic.Pointer[[]*onlooker]
}

type onlooker struct{ show func(call.WireMessage) }

// add has show told of each message until the function returned is called, which may be more than once.
func (o *observers) add(show func(call.WireMessage)) (stop func()) {
	one := &onlooker{show}
	o.change(func(all []*onlooker) []*onlooker { return append(slices.Clone(all), one) })
	return func() {
		o.change(func(all []*onlooker) []*onlooker {
			return slices.DeleteFunc(slices.Clone(all), func(other *onlooker) bool { return other == one })
		})
	}
}

func (o *observers) change(to func([]*onlooker) []*onlooker) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []*onlooker
	if now := o.all.Load(); now != nil {
		all = *now
	}
	if all = to(all); len(all) == 0 {
		o.all.Store(nil)
		return
	}
	o.all.Store(&all)
}

// Observe has show told of every SIP message that crosses a socket from now on, secrets hidden, until stop is called:
// those of calls, of registrations, of other nodes whose agents are reached through this one, and those that are
// refused; not what is dropped unanswered, such as what strangers send too much of, nor line ends that keep a NAT's
// binding alive. show is called from any goroutine, with locks held: it must not wait, and call nothing of the user
// agent. It may be called once more by each goroutine while stop returns.
func (u *UA) Observe(show func(call.WireMessage)) (stop func()) { return u.ladder.observers.add(show) }

// CallOf is the id of the call that a SIP Call-ID belongs to, and a few seconds after its end still; empty when there
// is none.
func (u *UA) CallOf(sipCallID string) string {
	u.ladder.mu.Lock()
	defer u.ladder.mu.Unlock()
	if t := u.ladder.tracks[sipCallID]; t != nil {
		return t.call
	}
	return ""
}

// StreamsOf are the streams of a call's legs, as far as it has any now.
func (u *UA) StreamsOf(callID string) (streams []media.Stream) {
	if callID == "" {
		return nil
	}
	u.legs.mu.Lock()
	defer u.legs.mu.Unlock()
	for key, l := range u.legs.legs {
		if l.stream != nil && u.CallOf(callIDOf(key)) == callID { // the ladder's lock is a leaf
			streams = append(streams, l.stream)
		}
	}
	return streams
}

// PhoneOf is where the phone of an agent is registered.
func (u *UA) PhoneOf(agent string) (netip.AddrPort, bool) {
	f, ok := u.registrar.lookup(agent)
	return f.shown(), ok
}

// observed tells whether anybody is shown messages.
func (l *ladder) observed() bool { return l != nil && l.observers.all.Load() != nil }

// show shows a message to the observers; f is of its head.
func (l *ladder) show(c crossing, f facts) {
	all := l.observers.all.Load()
	if all == nil || len(c.data) == 0 {
		return
	}
	m := call.WireMessage{
		At: c.at, Received: c.received, Transport: c.transport, Local: l.ends.of(c.transport, c.local, c.remote), Remote: unmap(c.remote),
		CallID: string(f.callID), Data: withoutSecrets(c.data),
	}
	l.mu.Lock()
	if t := l.tracks[m.CallID]; t != nil {
		m.Call, m.Party, m.Agent = t.call, t.party, t.agent
	}
	l.mu.Unlock()
	for _, o := range *all {
		o.show(m)
	}
}

// passed shows a message of which no ladder is kept: one between other nodes and their agents, or one that is refused.
func (l *ladder) passed(c crossing) {
	if !l.observed() {
		return
	}
	c.data = bytes.TrimLeft(c.data, "\r\n")
	head, _, _ := bytes.Cut(c.data, endOfHead)
	l.show(c, factsOf(head))
}

var endOfHead = []byte("\r\n\r\n")

// withoutSecrets is a copy of a message as a call.WireMessage has it.
func withoutSecrets(data []byte) []byte {
	head, body, parted := bytes.Cut(data, endOfHead)
	out := make([]byte, 0, len(data))
	for line := range harmless(head) {
		out = append(out, line...)
	}
	if !parted {
		return out
	}
	out = bytes.TrimRight(out, "\r\n") // of a hidden value that went on up to the body, the end is not there
	out = append(out, endOfHead...)
	begin := len(out)
	out = append(out, body...)
	for line := range bytes.Lines(out[begin:]) {
		blotKey(line)
	}
	return out
}

// Lines of a session description that have a key: RFC 4568 section 9.1, where it follows a word of its own, and RFC 8866
// section 5.12.
var (
	cryptoLine = []byte("a=crypto:")
	keyLine    = []byte("k=")
	inlineWord = []byte("inline:")
)

// keyBesides is what may stand beside a key (RFC 4568 section 6.1: its lifetime, and its MKI), and is none.
var keyBesides = regexp.MustCompile(`^(?:\|(?:2\^)?[0-9]{1,15})?(?:\|[0-9]{1,10}:[0-9]{1,3})?$`)

// blotKey hides a line's key, so that the line stays as long as the message's Content-Length has it: with asterisks, or, where
// whoever reads the line decodes it, as programs that show captures do, with what is base64 of the same length, of zero octets.
func blotKey(line []byte) {
	line = bytes.TrimRight(line, "\r\n")
	switch {
	case begins(line, keyLine):
		blot(line[len(keyLine):], '*')
	case begins(line, cryptoLine):
		line = line[len(cryptoLine):]
		for i := range line {
			if begins(line[i:], inlineWord) {
				blotInline(line[i:])
				return
			}
		}
		blot(line, '*')
	}
}

// blotInline hides the keys of an a=crypto from the first on (RFC 4568 section 9.2), of which each stands behind a word, and
// asterisks stand for what is behind them all: it may have a key too.
func blotInline(keys []byte) {
	keys, more, _ := bytes.Cut(keys, []byte(" "))
	blot(more, '*')
	for begins(keys, inlineWord) {
		var one []byte
		one, keys, _ = bytes.Cut(keys[len(inlineWord):], []byte(";"))
		end := bytes.IndexAny(one, "|*") // what was hidden stays as it is
		if end < 0 {
			end = len(one)
		}
		blot(bytes.TrimRight(one[:end], "="), 'A') // padding is right as it was
		if !keyBesides.Match(one[end:]) {
			blot(one[end:], '*')
		}
	}
	blot(keys, '*')
}

func blot(b []byte, with byte) {
	for i := range b {
		b[i] = with
	}
}

// begins tells whether text begins with a word, in whatever case.
func begins(text, word []byte) bool {
	return len(text) >= len(word) && bytes.EqualFold(text[:len(word)], word)
}
