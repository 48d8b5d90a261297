package sip

import (
	"context"
	"time"

	"hotline/call"
	"hotline/media"
)

// DialOptions say how a phone calls.
type DialOptions struct {
	// From is the number to call from; default the phone's own. A trunk lets any stand there, a server at which the
	// phone is registered only its own.
	From string
	// Prefer is the codec to put first; empty means the engine's order.
	Prefer media.Codec
	// Progress is told each 18x as it arrives, on any goroutine; it must not block. May be nil.
	Progress func(code int, at time.Time)
	// Reliable requires every 18x of the far end to be reliable (RFC 3262 section 4); one that does not know them
	// is called without.
	Reliable bool
	// Secure is whether audio is encrypted; the zero value means media.SecurityOff.
	Secure media.Security
}

// Dial calls a number at the phone's server and returns the leg when it is answered. When ctx
// is done the call is taken back, as UA.Ring does. The error is always a
// *call.RingError. A challenge is answered with the phone's password.
func (p *Phone) Dial(ctx context.Context, number string, o DialOptions) (call.Leg, error) {
	if err := p.set.ready(ctx); err != nil {
		return nil, &call.RingError{Why: withdrawnFor(ctx), At: time.Now()}
	}
	if o.From == "" {
		o.From = p.o.User
	}
	var require []string
	if o.Reliable {
		require = []string{optionReliable}
	}
	from, to := p.at(o.From), p.at(number)
	l, err := p.set.ua.invite(ctx, outgoing{
		target: to, from: nameAddr(p.o.Display, &from), to: nameAddr("", &to), hop: p.set.hop,
		media:     media.StreamOptions{Signalling: p.set.o.Server.Addr(), Prefer: o.Prefer, Secure: o.Secure},
		progress:  o.Progress,
		authorize: authorizeAs(p.o.User, p.o.Password),
		require:   require,
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// authorizeAs is who answers the challenge of an INVITE; nil without a user to be. It remembers nothing: calls may be made at
// the same time, and each gets a nonce of its own.
func authorizeAs(user, password string) *asWhom {
	if user == "" {
		return nil
	}
	return &asWhom{user: user, password: password}
}
