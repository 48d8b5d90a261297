package sip

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
)

// atomicAddrs are addresses that any goroutine may look at.
type atomicAddrs struct{ p atomic.Pointer[[]netip.Addr] }

func (a *atomicAddrs) set(addrs []netip.Addr) { a.p.Store(&addrs) }

func (a *atomicAddrs) has(addr netip.Addr) bool { return slices.Contains(a.all(), addr) }

// add puts an address before the others, of which the last make room where there are more than most.
func (a *atomicAddrs) add(addr netip.Addr, most int) {
	for {
		p := a.p.Load()
		list := []netip.Addr{addr}
		if p != nil {
			if len(*p) > 0 && (*p)[0] == addr {
				return
			}
			list = append(list, slices.DeleteFunc(slices.Clone(*p), func(one netip.Addr) bool { return one == addr })...)
		}
		list = list[:min(len(list), most)]
		if a.p.CompareAndSwap(p, &list) {
			return
		}
	}
}

// all are not to be changed.
func (a *atomicAddrs) all() []netip.Addr {
	if p := a.p.Load(); p != nil {
		return *p
	}
	return nil
}

// errGranted: a 200 to a REGISTER that grants no time.
var errGranted = errors.New("sip: the registrar granted no time")

// register registers at the first of the registrar's addresses that answers, beginning where it, or who is called there, did
// before, and returns for how long, and what was answered last, if anything was. Errors: *StatusError; of the look-up, of the
// transport, of ctx.
func (g *registration) register(ctx context.Context) (granted time.Duration, res *sipmsg.Response, err error) {
	host, port := hostAndPort(g.o.Address)
	addrs, err := g.ua.hosts.lookUp(ctx, host)
	if err != nil {
		return 0, nil, fmt.Errorf("look up the registrar of trunk %s: %w", g.name, err)
	}
	g.hosts.set(addrs)
	to := aim{g.name, g.o.Network, host, port}
	g.ua.aims.set(to, addrs)
	err = errNoListener
	for _, a := range addrs {
		h, ok := g.ua.wayTo(g.o.Network, netip.AddrPortFrom(a, port))
		if !ok || ctx.Err() != nil {
			continue
		}
		granted, got, failed := time.Duration(0), (*sipmsg.Response)(nil), errResting
		if !time.Now().Before(g.rests[a]) {
			granted, got, failed = g.registerAt(ctx, to, h)
		}
		if refused, ok := errors.AsType[*StatusError](failed); failed == nil || ok && isFinal(refused.Code) {
			g.ua.hosts.answered(host, a)
			if failed == nil {
				g.boundBy(h)
			}
			return granted, got, failed
		}
		if rest := retryHeader(got); rest > 0 {
			g.rests[a] = time.Now().Add(rest)
		}
		if got != nil || res == nil { // a status says more than silence
			res, err = got, failed
		}
	}
	return 0, res, fmt.Errorf("register trunk %s: %w", g.name, err)
}

// errResting: an address of the registrar is left alone for as long as it has asked for that.
var errResting = errors.New("sip: the registrar has asked to be left alone for a while")

// rest is for how long yet all addresses of the registrar that we reach want to be left alone (RFC 3261 section 21.5.4); 0: one does
// not.
func (g *registration) rest(at time.Time) (least time.Duration) {
	maps.DeleteFunc(g.rests, func(_ netip.Addr, until time.Time) bool { return !at.Before(until) })
	_, port := hostAndPort(g.o.Address)
	for _, a := range g.hosts.all() {
		if _, ok := g.ua.wayTo(g.o.Network, netip.AddrPortFrom(a, port)); !ok {
			continue
		}
		left := g.rests[a].Sub(at)
		if left <= 0 {
			return 0
		}
		if least == 0 || left < least {
			least = left
		}
	}
	return least
}

// isFinal tells whether a status that refuses a REGISTER is the answer of somebody who knows us: not that of a server that
// fails (5xx), nor of a proxy that reached nobody (408).
func isFinal(code int) bool {
	return code != sipmsg.StatusRequestTimeout && (code < sipmsg.StatusInternalServerError || code >= sipmsg.StatusGlobalBusyEverywhere)
}

// registerAt is one registration at one address: REGISTER, again with credentials once they are asked for, and again
// with the time that is asked for (RFC 3261 sections 22.2 and 10.2.8). Credentials that were refused are not sent again, but
// by another nonce where theirs was stale: who tries a password twice is locked out twice as soon.
func (g *registration) registerAt(ctx context.Context, to aim, h hop) (time.Duration, *sipmsg.Response, error) {
	if err := g.ua.secures(ctx, to, h); err != nil {
		return 0, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, registerWithin*g.ua.o.T1)
	defer cancel()
	refuses := func(res *sipmsg.Response) error {
		return &StatusError{Method: sipmsg.REGISTER.String(), Code: res.StatusCode}
	}
	lengthened, answered := false, 0 // the status whose challenge was met last
	for challenges := 0; ; {
		res, err := g.ua.sendRegister(ctx, &g.d, &g.auth, contactBinding{
			hop: h, contact: g.user, username: g.o.Username, password: g.o.Password, expires: g.expires,
		})
		if err != nil {
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				g.ua.unanswered(h, err)
			}
			return 0, nil, err
		}
		switch {
		case res.IsSuccess():
			granted := g.granted(res)
			if granted <= 0 && g.expires > 0 {
				return 0, res, errors.Join(refuses(res), errGranted)
			}
			return granted, res, nil
		case challenged(res) && challenges < maxChallenges && (res.StatusCode != answered || stale(res)):
			challenges++
			answered = res.StatusCode
			if err := g.auth.take(res); err != nil {
				return 0, res, errors.Join(refuses(res), err)
			}
			g.asked.set(&g.auth)
		case res.StatusCode == sipmsg.StatusIntervalToBrief && !lengthened && g.lengthen(res):
			lengthened, answered = true, 0 // nonces may serve once
		default:
			g.auth = phoneAuth{}
			return 0, res, refuses(res)
		}
	}
}

// lengthen takes the time that a 423 wants, if it is more than was asked for.
func (g *registration) lengthen(res *sipmsg.Response) bool {
	h := res.GetHeader("min-expires")
	if h == nil {
		return false
	}
	least := parseExpires(h.Value())
	if g.expires == 0 || least <= g.expires {
		return false
	}
	g.expires = least
	return true
}

// granted reads for how long our binding is: by its Contact among those that are bound, or by the only one there is, which a
// border of the carrier has written anew; else by Expires, else what was asked for (RFC 3261 section 10.2.4).
func (g *registration) granted(res *sipmsg.Response) time.Duration {
	granted := g.expires
	if h := res.GetHeader("expires"); h != nil {
		if d := parseExpires(h.Value()); d >= 0 {
			granted = d
		}
	}
	all, least := 0, granted
	for h := range named(res, nameContact) {
		for _, one := range listed(h.Value()) {
			all++
			var uri sipmsg.Uri
			var params sipmsg.HeaderParams
			if _, err := sipmsg.ParseAddressValue(one, &uri, &params); err != nil {
				continue
			}
			v, ok := findParam(params, "expires")
			d := parseExpires(v)
			switch {
			case !ok || d < 0:
			case uri.User == g.user:
				return d
			default:
				least = min(least, d)
			}
		}
	}
	if all == 1 {
		return least
	}
	return granted
}

// contactBinding says what a REGISTER of ours binds, and by which way it leaves.
type contactBinding struct {
	hop                hop
	contact            string // the user of our Contact
	username, password string
	expires            time.Duration // 0 takes the binding back
}

// sendRegister sends one REGISTER, with credentials if a challenge is known, and returns its final response. The
// dialog and what is remembered of the challenge are the caller's, who sends one at a time.
func (u *UA) sendRegister(ctx context.Context, d *dialog, auth *phoneAuth, r contactBinding) (*sipmsg.Response, error) {
	req, err := d.request(sipmsg.REGISTER, 0)
	if err != nil {
		return nil, err
	}
	host, port := u.namedAt(r.hop)
	contact := sipmsg.Uri{Scheme: schemeSIP, User: r.contact, Host: host, Port: port}
	if name := transportParam(r.hop.transport); name != "" {
		contact.UriParams.Add("transport", name)
	}
	req.AppendHeader(&sipmsg.ContactHeader{Address: contact})
	req.AppendHeader(sipmsg.NewHeader("Expires", wholeSeconds(r.expires)))
	creds, err := auth.credentials(req.Method, req.Recipient.String(), r.username, r.password)
	if err != nil {
		return nil, err
	}
	if creds != nil {
		req.AppendHeader(creds)
	}
	u.dispatchable(req, r.hop)
	return u.do(ctx, req)
}
