package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"

	"hotline/call"
	"hotline/media"
)

// PhonesOptions describe the socket that a set of phones shares, and the server they know.
type PhonesOptions struct {
	// Address to bind; port 0 takes a free one.
	Address netip.AddrPort
	// Server is where the phones register and call: a hotline's listener.
	Server netip.AddrPort
	// Transport is "udp" (default) or "tcp".
	Transport string
	// Engine opens the streams of the phones' legs. Required.
	Engine media.Engine
	// T1 as in Options.
	T1 time.Duration
	// Logger may be nil: silence.
	Logger *zap.Logger
}

// Phones are SIP telephones behind one socket: agents' softphones and callers, for the simulator and
// for tests. They are a UA that registers instead of being registered at, and takes calls from its
// server only.
//
// Agents and callers belong in different sets: a hotline takes whoever speaks from where an agent is
// registered for an agent.
//
// Make them with NewPhones, add each with Add, run them with Run. All methods may be called from any
// goroutine.
type Phones struct {
	o       PhonesOptions
	ua      *UA
	hop     hop
	self    netip.AddrPort // as the server is to see it
	reading chan struct{}  // closed when the socket is being read
	mu      sync.Mutex
	phones  map[string]*Phone
}

// PhoneOptions describe one phone.
type PhoneOptions struct {
	// User is the phone's number: what it registers as, calls from, and is called by. Phones of one set differ in it.
	User string
	// Display is the name shown beside the number; may be empty.
	Display string
	// Password for the server's challenges. A phone that never registers may have none.
	Password string
	// Expires is how long a registration is asked for; default 10 min.
	Expires time.Duration
	// OnIncoming is given each call for this phone and returns when it is over, as Options.OnIncoming
	// does; nil refuses all with 480.
	OnIncoming func(ctx context.Context, in call.Incoming)
}

// Phone is one telephone.
type Phone struct {
	set *Phones
	o   PhoneOptions

	// registering lets one REGISTER be under way at a time, and guards what the next must know.
	registering sync.Mutex
	d           dialog // not a real one: a REGISTER's Call-ID, tag and number are kept alike (RFC 3261 10.2)
	auth        phoneAuth
	stop        context.CancelFunc // of the refreshing; nil when not registered
}

// NewPhones binds the socket. Errors: as New.
func NewPhones(o PhonesOptions) (*Phones, error) {
	if o.Transport == "" {
		o.Transport = networkUDP
	}
	s := &Phones{o: o, reading: make(chan struct{}), phones: make(map[string]*Phone)}
	ua, err := New(Options{
		Listen: []Listener{{Network: o.Transport, Address: o.Address}},
		Engine: o.Engine, OnIncoming: s.incoming, T1: o.T1, Logger: o.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("open phones: %w", err)
	}
	ua.door = s.admit
	ua.known = func(host netip.Addr) bool { return host == unmap(o.Server).Addr() }
	s.ua = ua
	if l := ua.listeners[0]; l.packet != nil {
		l.packet = &firstRead{PacketConn: l.packet, begun: sync.OnceFunc(func() { close(s.reading) })}
	} else {
		close(s.reading) // phones make their connection themselves
	}
	s.hop = hop{transport: strings.ToUpper(o.Transport), dest: o.Server.String(), ours: ua.Addrs()[0]}
	s.self = ua.selfAt(s.hop)
	return s, nil
}

// firstRead tells when a socket is read for the first time: before that sipgo does not know it, and would
// open another to send by.
type firstRead struct {
	net.PacketConn
	begun func()
}

func (f *firstRead) ReadFrom(p []byte) (int, net.Addr, error) {
	f.begun()
	return f.PacketConn.ReadFrom(p)
}

// ready waits until the phones can send.
func (s *Phones) ready(ctx context.Context) error {
	select {
	case <-s.reading:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.ua.ctx.Done():
		return ErrClosed
	}
}

// Run serves the phones until ctx is done, then closes them. It is called once; Register and Dial
// wait for it.
func (s *Phones) Run(ctx context.Context) error { return s.ua.Run(ctx) }

// Close hangs up all calls and waits for everything that the phones started. Registrations are left to expire, as
// those of a phone that loses its power are. It is idempotent.
func (s *Phones) Close() error { return s.ua.Close() }

// Addr is where the phones are.
func (s *Phones) Addr() netip.AddrPort { return s.self }

// errUserTaken: a set has one phone for each user.
var errUserTaken = errors.New("sip: a phone of that user is there already")

// Add makes one more phone. Nothing is sent before Register or Dial.
func (s *Phones) Add(o PhoneOptions) (*Phone, error) {
	if o.Expires <= 0 {
		o.Expires = 10 * time.Minute
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phones[o.User] != nil {
		return nil, fmt.Errorf("add phone %q: %w", o.User, errUserTaken)
	}
	p := &Phone{set: s, o: o}
	self, server := p.at(o.User), p.at("")
	p.d = dialog{
		CallID: newID(), LocalTag: newID(), Local: nameAddr(o.Display, &self), Remote: nameAddr("", &self),
		Target: server.String(),
	}
	s.phones[o.User] = p
	return p, nil
}

// Remove forgets a phone. Its calls go on until they end; a registration is left to expire.
func (s *Phones) Remove(user string) {
	s.mu.Lock()
	p := s.phones[user]
	delete(s.phones, user)
	s.mu.Unlock()
	if p != nil {
		p.halt()
	}
}

// at is the address of a user at the phone's server, or of the server itself for "".
func (p *Phone) at(user string) sipmsg.Uri {
	server := p.set.o.Server
	return sipmsg.Uri{Scheme: schemeSIP, User: user, Host: server.Addr().String(), Port: int(server.Port())}
}

// phone finds the phone that a user names.
func (s *Phones) phone(user string) (*Phone, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.phones[user]
	return p, ok
}

// admit is the phones' door: their server may call, and only a phone that is there.
func (s *Phones) admit(x *exchange) (in call.Incoming, refused *sipmsg.Response) {
	in.To = dialled(&x.req.Recipient)
	if x.src.addr != unmap(s.o.Server) {
		return in, x.response(statusOf(call.CauseForbidden), nil)
	}
	if _, ok := s.phone(in.To); !ok {
		return in, x.response(statusOf(call.CauseNotFound), nil)
	}
	in.From = callerOf(x.req)
	return in, nil
}

// incoming hands a call to its phone. Run by the INVITE's handler.
func (s *Phones) incoming(ctx context.Context, in call.Incoming) {
	if p, ok := s.phone(in.To); ok && p.o.OnIncoming != nil {
		p.o.OnIncoming(ctx, in)
		return
	}
	in.Leg.Hangup(call.CauseUnreachable)
}
