package sip

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
	"go.uber.org/zap"
)

// StatusError is a request that was refused with a final status.
type StatusError struct {
	Method string
	Code   int // 300..699; 2xx of a REGISTER that granted no time
}

func (e *StatusError) Error() string { return fmt.Sprintf("%s refused with %d", e.Method, e.Code) }

// errNoChallenge: a 401 or 407 with no challenge that can be met.
var errNoChallenge = errors.New("sip: no challenge of a known algorithm")

// maxChallenges is how many times a request is tried with other credentials: the nonce known may be
// stale, then comes the challenge proper; a third says that the password is wrong.
const maxChallenges = 2

// refreshRetry is how long a refresh that failed waits for the next.
const refreshRetry = 5 * time.Second

// phoneAuth is what a phone remembers of its server's challenge.
type phoneAuth struct {
	header    string // what credentials go into: Authorization or Proxy-Authorization
	challenge *digest.Challenge
	count     int // of the nonce's uses
}

// take takes the first challenge that can be met (RFC 8760 section 2.4).
func (a *phoneAuth) take(res *sipmsg.Response) error {
	auth, err := challengeIn(res, func(*digest.Challenge) bool { return true })
	if err == nil {
		*a = auth
	}
	return err
}

// challengeIn is the first challenge of a response that can be met and fits.
func challengeIn(res *sipmsg.Response, fits func(*digest.Challenge) bool) (phoneAuth, error) {
	name, header := "www-authenticate", "Authorization"
	if res.StatusCode == sipmsg.StatusProxyAuthRequired {
		name, header = "proxy-authenticate", "Proxy-Authorization"
	}
	for _, h := range res.GetHeaders(name) {
		c, err := digest.ParseChallenge(h.Value())
		if err == nil && digest.CanDigest(c) && fits(c) {
			return phoneAuth{header: header, challenge: c}, nil
		}
	}
	return phoneAuth{}, errNoChallenge
}

// credentials answer the challenge remembered; nil when there is none.
func (a *phoneAuth) credentials(method sipmsg.RequestMethod, uri, user, password string) (sipmsg.Header, error) {
	if a.challenge == nil {
		return nil, nil
	}
	a.count++
	c, err := digest.Digest(a.challenge, digest.Options{
		Method: method.String(), URI: uri, Count: a.count, Username: user, Password: password,
	})
	if err != nil {
		return nil, fmt.Errorf("answer the challenge: %w", err)
	}
	return sipmsg.NewHeader(a.header, c.String()), nil
}

// Register registers the phone and keeps it registered, refreshing in good time, until Unregister or
// the end of the set. It returns when the server has answered. Errors: *StatusError; those of the
// transport; ctx's cause.
func (p *Phone) Register(ctx context.Context) error { //nolint:contextcheck // the refreshing outlives ctx
	p.registering.Lock()
	defer p.registering.Unlock()
	granted, err := p.register(ctx, p.o.Expires)
	if err != nil || p.stop != nil {
		return err
	}
	refreshing, stop := context.WithCancel(p.set.ua.ctx)
	p.stop = stop
	if !p.set.ua.background("refresh", func() { p.refresh(refreshing, granted) }) {
		return ErrClosed
	}
	return nil
}

// Unregister takes the phone's registration back. Errors: as Register.
func (p *Phone) Unregister(ctx context.Context) error {
	p.halt()
	p.registering.Lock()
	defer p.registering.Unlock()
	_, err := p.register(ctx, 0)
	return err
}

// halt stops the refreshing.
func (p *Phone) halt() {
	p.registering.Lock()
	defer p.registering.Unlock()
	if p.stop != nil {
		p.stop()
		p.stop = nil
	}
}

// refresh registers again when four fifths of what was granted have gone by.
func (p *Phone) refresh(ctx context.Context, granted time.Duration) {
	timer := time.NewTimer(granted * 4 / 5)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(p.again(ctx))
	}
}

// again refreshes once and returns when to do so next.
func (p *Phone) again(ctx context.Context) time.Duration {
	p.registering.Lock()
	defer p.registering.Unlock()
	if ctx.Err() != nil {
		return refreshRetry // unregistered meanwhile: refresh ends
	}
	granted, err := p.register(ctx, p.o.Expires)
	if err != nil {
		p.set.ua.log.Warn("phone not registered", zap.String("user", p.o.User), zap.Error(err))
		return refreshRetry
	}
	return granted * 4 / 5
}

// register sends REGISTER, with credentials once they are asked for, and returns what was granted.
// The caller holds p.registering.
func (p *Phone) register(ctx context.Context, expires time.Duration) (granted time.Duration, err error) {
	for challenges := 0; ; challenges++ {
		res, err := p.sendRegister(ctx, expires)
		if err != nil {
			return 0, fmt.Errorf("register %s: %w", p.o.User, err)
		}
		switch {
		case res.IsSuccess():
			return grantedIn(res, expires), nil
		case challenged(res) && challenges < maxChallenges:
			if err := p.auth.take(res); err != nil {
				return 0, fmt.Errorf("register %s: %w", p.o.User, err)
			}
		default:
			p.auth = phoneAuth{}
			return 0, fmt.Errorf("register %s: %w", p.o.User,
				&StatusError{Method: sipmsg.REGISTER.String(), Code: res.StatusCode})
		}
	}
}

// sendRegister sends one REGISTER and returns its final response.
func (p *Phone) sendRegister(ctx context.Context, expires time.Duration) (*sipmsg.Response, error) {
	if err := p.set.ready(ctx); err != nil {
		return nil, err
	}
	return p.set.ua.sendRegister(ctx, &p.d, &p.auth, contactBinding{
		hop: p.set.hop, contact: p.o.User, username: p.o.User, password: p.o.Password, expires: expires,
	})
}

func challenged(res *sipmsg.Response) bool {
	return res.StatusCode == sipmsg.StatusUnauthorized || res.StatusCode == sipmsg.StatusProxyAuthRequired
}

// grantedIn reads what the server granted: the contact's expires, else the header, else what was asked for.
func grantedIn(res *sipmsg.Response, asked time.Duration) time.Duration {
	value := strconv.FormatInt(int64(asked/time.Second), 10)
	if h := res.GetHeader("expires"); h != nil {
		value = h.Value()
	}
	if c := res.Contact(); c != nil {
		if v, ok := findParam(c.Params, "expires"); ok {
			value = v
		}
	}
	return parseExpires(value)
}
