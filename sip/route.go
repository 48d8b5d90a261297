package sip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
)

// schemeSIP is that of every address we write; schemeSIPS and schemeTel are those of addresses that others may
// write (RFC 3261 section 19.1, RFC 3966).
const (
	schemeSIP  = "sip"
	schemeSIPS = "sips"
	schemeTel  = "tel"
)

// hop is the way a request of ours leaves: by which of our sockets, to where.
type hop struct {
	transport string
	dest      string // host:port
	ours      netip.AddrPort
	sips      bool // the far end's address is of sips, so that ours is to be one too
	back      *hop // what is left where this one is not to be had; nil: nothing is
}

// hopOf is the way to a dialog's far end. An agent's phone is reached by its registered flow, wherever it
// has moved to since, which the dialog follows, since that is the way when the phone has no flow any more, and which it does not
// leave for another while the phone has it; a
// trunk by its route set or contact, over the connection that is open if there is one.
func (u *UA) hopOf(d *dialog) (hop, error) {
	h, err := u.anyHopOf(d)
	if err == nil && isWebSocket(h.transport) && !u.conns.alive(h.transport, parsePeer(h.dest)) {
		return h, fmt.Errorf("WebSocket from %s: %w", h.dest, net.ErrClosed)
	}
	return h, err
}

// anyHopOf is hopOf, but for a way that nobody but the far end can open.
func (u *UA) anyHopOf(d *dialog) (hop, error) {
	h := d.hop()
	if d.Relayed {
		return h, nil
	}
	if d.Agent != "" {
		if f, ok := u.registrar.lookupBy(d.Agent, keyOf(d.Transport, d.Peer)); ok {
			d.Transport, d.Peer, d.Ours = f.transport, f.source, f.local
			return d.hop(), nil
		}
		return h, nil
	}
	if d.Takes.IsValid() && !u.conns.alive(d.Transport, d.Peer) {
		d.Peer, d.Takes = d.Takes, netip.AddrPort{}
		h = d.hop()
	}
	if isWebSocket(d.Transport) || reliable(d.Transport) && u.conns.alive(d.Transport, d.Peer) {
		return h, nil
	}
	if _, ours := u.aims.find(flowKey{d.Transport, d.Peer}); ours && d.Transport == transportTLS {
		return h, nil // the connection is opened again: who is behind the trunk may have no certificate that we believe
	}
	uri, err := d.nextURI()
	if err != nil {
		return h, err
	}
	return u.along(h, &uri), nil
}

// hop is hopOf the leg's dialog. The caller holds l.mu.
func (l *leg) hop() (hop, error) {
	defer l.followed()
	return l.ua.hopOf(&l.d)
}

// followed notes how the far end is reached now: whoever had the dialog follow it calls this, with l.mu.
func (l *leg) followed() {
	if was, now := l.lies.Load(), (flowKey{l.d.Transport, l.d.Peer}); was == nil || *was != now {
		l.lies.Store(&now)
	}
}

func hopOfFlow(f flow) hop {
	return hop{transport: f.transport, dest: f.source.String(), ours: f.local, sips: f.contact.Scheme == schemeSIPS}
}

// hop is the way that the dialog came about by.
func (d *dialog) hop() hop {
	return hop{transport: d.Transport, dest: d.Peer.String(), ours: d.Ours, sips: d.SIPS}
}

// dispatchable readies a request to leave by h: the Via on top (RFC 3261 section 8.1.1.7) and what sipgo
// must know to use that socket and no other.
func (u *UA) dispatchable(req *sipmsg.Request, h hop) {
	host, port := u.namedAt(h)
	via := &sipmsg.ViaHeader{
		ProtocolName: protocolName, ProtocolVersion: "2.0", Transport: h.transport, Host: host, Port: port,
	}
	branch := sipmsg.GenerateBranch()
	if h.back != nil {
		u.back.put(branch, *h.back)
	}
	via.Params.Add("branch", branch)
	via.Params.Add("rport", "")
	req.PrependHeader(via)
	req.SetTransport(carrierOf(h.transport))
	req.SetDestination(h.dest)
	if h.transport == transportUDP {
		req.Laddr = sipmsg.Addr{IP: net.IP(h.ours.Addr().AsSlice()), Port: int(h.ours.Port())}
	}
}

// contactAt is our Contact towards h. It is of sips where the dialog is (RFC 3261 sections 8.1.1.8 and 12.1.1).
func (u *UA) contactAt(h hop) sipmsg.Header {
	host, port := u.namedAt(h)
	uri := sipmsg.Uri{Scheme: schemeSIP, User: serverName, Host: host, Port: port}
	name := transportParam(h.transport)
	if h.sips {
		uri.Scheme = schemeSIPS
	}
	if name != "" && (!h.sips || name != networkTLS) { // of sips it is TLS that needs no name
		uri.UriParams.Add("transport", name)
	}
	return &sipmsg.ContactHeader{Address: uri}
}

// byeOf makes the BYE of a dialog, ready to leave. Whoever guards the dialog calls it.
func (u *UA) byeOf(d *dialog) (*sipmsg.Request, error) { return u.requestOf(d, sipmsg.BYE) }

// requestOf makes the next request of a dialog, ready to leave; not an ACK. Whoever guards the dialog calls it.
func (u *UA) requestOf(d *dialog, method sipmsg.RequestMethod) (*sipmsg.Request, error) {
	req, err := d.request(method, 0)
	if err != nil {
		return nil, err
	}
	h, err := u.hopOf(d)
	if err != nil {
		return nil, err
	}
	u.dispatchableIn(d, req, h)
	return req, nil
}

// do sends a request that is neither INVITE nor ACK, and returns its final response. It gives up when
// ctx is done, and when the transaction does (64·T1).
func (u *UA) do(ctx context.Context, req *sipmsg.Request) (*sipmsg.Response, error) {
	tx, err := u.request(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("send %s: %w", req.Method, err)
	}
	return await(ctx, tx)
}

// request sends a request that is neither INVITE nor ACK, once there is a way for it; see prepare.
func (u *UA) request(ctx context.Context, req *sipmsg.Request) (*sipmsg.ClientTx, error) {
	if err := u.prepare(ctx, req); err != nil {
		return nil, err
	}
	return u.txs.Request(ctx, req)
}

// write sends the ACK of a 2xx, which is no transaction, once there is a way for it.
func (u *UA) write(ack *sipmsg.Request) error {
	if err := u.prepare(u.patience, ack); err != nil {
		return err
	}
	return u.transport.WriteMsg(ack)
}

// await is the second half of do.
func await(ctx context.Context, tx *sipmsg.ClientTx) (*sipmsg.Response, error) {
	return awaitUnless(ctx, tx, loss{})
}

// awaitUnless is await, which ends with errCutOff when its connection is lost before anything was heard.
func awaitUnless(ctx context.Context, tx *sipmsg.ClientTx, lost loss) (*sipmsg.Response, error) {
	defer tx.Terminate()
	method, sent := tx.Origin().Method, time.Now()
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res, nil
			}
			lost.c = nil
		case <-lost.c:
			if lost.spares() {
				continue
			}
			return nil, fmt.Errorf("no answer to %s: %w", method, errCutOff)
		case <-tx.Done():
			return nil, fmt.Errorf("no answer to %s: %w", method, tx.Err())
		case <-ctx.Done():
			why := fmt.Errorf("no answer to %s: %w", method, context.Cause(ctx))
			return nil, &unansweredError{over: leftBy(tx), sent: sent, why: why}
		}
	}
}

// ping is the registrar's: any response to OPTIONS over the flow is a sign of life.
func (u *UA) ping(ctx context.Context, f flow) error {
	h := hopOfFlow(f)
	if reliable(f.transport) && !u.conns.alive(f.transport, f.source) {
		return fmt.Errorf("ping %s: %w", f.source, net.ErrClosed)
	}
	self := sipmsg.Uri{Scheme: schemeSIP, User: serverName, Host: u.selfAt(h).Addr().String()}
	d := dialog{
		CallID: newID(), LocalTag: newID(), Local: nameAddr("", &self),
		Remote: nameAddr("", &f.contact), Target: f.contact.String(),
	}
	req, err := d.request(sipmsg.OPTIONS, 0)
	if err != nil {
		return err
	}
	u.dispatchable(req, h)
	_, err = u.do(ctx, req)
	return err
}
