//go:build linux

package flood

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"
)

// pace of the floods, in messages per second.
const pace = 2000

// flood is an attack: pace messages a second, of so many hosts in turn; every second one of each is of the other kind.
func flood(many int, kinds ...text) func(ctx context.Context, w *town) (tally, error) {
	return func(ctx context.Context, w *town) (tally, error) {
		return w.pour(ctx, w.sip, inTurn(many), pace, func(n int) text { return kinds[n/many%len(kinds)] })
	}
}

// pour sends messages of hosts: kind tells which the nth is.
func (w *town) pour(ctx context.Context, to netip.AddrPort, of hosts, pace int, kind func(n int) text) (tally, error) {
	m := &mob{to: to, hosts: of, pace: pace}
	hotline := to.String()
	m.write = func(b []byte, n int, host netip.Addr) []byte {
		return kind(n).fill(b, hotline, n, netip.AddrPortFrom(host, m.port))
	}
	return m.run(ctx)
}

// noise is datagrams of any octets and any length.
func noise(ctx context.Context, w *town) (tally, error) { return noisy(ctx, w.sip, inTurn(manyHosts)) }

func noisy(ctx context.Context, to netip.AddrPort, of hosts) (tally, error) {
	random := rand.NewChaCha8([32]byte{1})
	sizes := rand.New(random)
	m := &mob{to: to, hosts: of, pace: pace}
	m.write = func(b []byte, _ int, _ netip.Addr) []byte {
		b = b[:1+sizes.IntN(1400)]
		_, _ = random.Read(b) // never fails
		return b
	}
	return m.run(ctx)
}

// guesser has hosts of its own guess passwords, each of one agent and with the nonces that it was given, as only who is at an
// address can: so each is banned once it has guessed too often.
type guesser struct {
	mob  mob
	mu   sync.Mutex
	says []text // by host
}

func guess(ctx context.Context, w *town) (tally, error) {
	const hosts = 2 * liveCalls // of which each has as many tries as one host may, and each account fewer than it may
	g := &guesser{}
	for i := range hosts {
		g.says = append(g.says, registerOf(agentID(i%liveCalls), ""))
	}
	g.mob = mob{to: w.sip, hosts: inTurn(hosts), pace: pace, heard: g.challenged}
	g.mob.write = func(b []byte, n int, host netip.Addr) []byte {
		g.mu.Lock()
		said := g.says[n%hosts]
		g.mu.Unlock()
		return said.fill(b, w.h.SIP, n, netip.AddrPortFrom(host, g.mob.port))
	}
	return g.mob.run(ctx)
}

// challenged uses the nonce of a 401, whose Call-ID says whose it is, from then on.
func (g *guesser) challenged(answer []byte) {
	_, rest, _ := bytes.Cut(answer, []byte("Call-ID: r"))
	id, _, _ := bytes.Cut(rest, []byte("\r\n"))
	n, err := strconv.Atoi(string(id))
	_, rest, found := bytes.Cut(answer, []byte(`nonce="`))
	nonce, _, _ := bytes.Cut(rest, []byte(`"`))
	if err != nil || !found {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.says[n%len(g.says)] = registerOf(agentID(n%len(g.says)%liveCalls), string(nonce))
}

// claimed is a flood in the name of the trunk whose calls come and go: what needs no call, and what says that it is of one.
func claimed(ctx context.Context, w *town) (tally, error) {
	of := func(method, tag string) text {
		return textOf(method+" sip:100@{H} SIP/2.0", "Via: SIP/2.0/UDP {S};branch=z9hG4bKn{N};rport", "Max-Forwards: 70",
			"From: <sip:100@{S}>;tag=f{N}", "To: <sip:100@{H}>"+tag, "Call-ID: n{N}", "CSeq: 1 "+method, "Contact: <sip:100@{S}>",
			"Content-Length: 0", "", "")
	}
	kinds := []text{of("OPTIONS", ""), registerText, inventedText, of("BYE", ";tag=none"), of("INFO", ";tag=none"), of("CANCEL", "")}
	return w.pour(ctx, w.sip, only(netip.MustParseAddr(setUpHost)), pace, func(n int) text { return kinds[n%len(kinds)] })
}

// unknownNumber is one that nobody has.
const unknownNumber = "999999"

// forged is what an attacker says in the name of the trunk, of the calls that come and go, and of the agents' phones: that he
// is a scanner, passwords for agents, and calls to a number that nobody has, each of whose refusal he acknowledges unseen. It
// is little, so that it goes to what addresses are held guilty of, and not to what the trunk may do.
func forged(ctx context.Context, w *town) (tally, error) {
	hosts := []netip.Addr{netip.MustParseAddr(setUpHost), netip.MustParseAddr(trunkHost), netip.MustParseAddr(officeHost)}
	kinds := []text{
		textOf("OPTIONS sip:{H} SIP/2.0", "Via: SIP/2.0/UDP {S};branch=z9hG4bKo{N};rport", "Max-Forwards: 70",
			"From: <sip:100@{S}>;tag=f{N}", "To: <sip:100@{H}>", "Call-ID: o{N}", "CSeq: 1 OPTIONS", "Contact: <sip:100@{S}>",
			"User-Agent: friendly-scanner", "Content-Length: 0", "", ""),
		inventedText,
		inviteOf(unknownNumber),
		textOf("ACK sip:"+unknownNumber+"@{H} SIP/2.0", "Via: SIP/2.0/UDP {S};branch=z9hG4bKi{N};rport", "Max-Forwards: 70",
			"From: <sip:13900001234@{S}>;tag=f{N}", "To: <sip:"+unknownNumber+"@{H}>;tag=unseen", "Call-ID: i{N}", "CSeq: 1 ACK",
			"Content-Length: 0", "", ""),
	}
	g, ctx := errgroup.WithContext(ctx)
	var mu sync.Mutex
	var all tally
	for i, host := range hosts {
		g.Go(func() error {
			m := &mob{to: w.sip, hosts: only(host), pace: 40}
			m.write = func(b []byte, n int, host netip.Addr) []byte {
				of := n / len(kinds) * len(hosts) // an ACK has its INVITE's number
				return kinds[n%len(kinds)].fill(b, w.h.SIP, of+i, netip.AddrPortFrom(host, m.port))
			}
			did, err := m.run(ctx)
			mu.Lock()
			defer mu.Unlock()
			all = tally{sent: all.sent + did.sent, answered: all.answered + did.answered}
			return err
		})
	}
	err := g.Wait()
	return all, err
}
