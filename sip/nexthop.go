package sip

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"
)

// askedFor is the transport that a URI asks for (RFC 3263 section 4.1): tls for sips, whatever it names beside; "" where it
// asks for none that can be opened.
func askedFor(uri *sipmsg.Uri) string {
	if uri.Scheme == schemeSIPS {
		return networkTLS
	}
	name := strings.ToLower(param(uri.UriParams, "transport"))
	if slices.Contains([]string{strings.ToLower(transportUDP), networkTCP, networkTLS}, name) {
		return name
	}
	return ""
}

// along has a hop of a dialog lead where its next URI points, by the transport that this asks for, if we have it. What came
// about by TLS stays there. Where that way is not to be had, since a name is not found or nobody takes the connection, the
// way by which the dialog came about is to be tried: it has worked.
func (u *UA) along(h hop, uri *sipmsg.Uri) hop {
	back := h
	h.dest = hostPort(uri)
	to, near := parsePeer(h.dest), parsePeer(back.dest)
	if network := askedFor(uri); network != "" && h.transport != transportTLS && strings.ToUpper(network) != h.transport {
		at := near.Addr() // of a name nothing is known yet
		if to.IsValid() {
			at = to.Addr()
		}
		if way, ok := u.wayTo(network, netip.AddrPortFrom(at, near.Port())); ok {
			h.transport, h.ours = way.transport, way.ours
		}
	}
	if h.transport != back.transport || !to.IsValid() {
		h.back = &back
	}
	return h
}

// waysBackMost bounds the requests that are on their way to be sent.
const waysBackMost = 1024

// waysBack are the ways that requests are to leave by if that which they were made for is not to be had, by branch, from
// when they are made until they are sent. It may be used from any goroutine.
type waysBack struct {
	mu sync.Mutex
	of map[string]hop
}

func (w *waysBack) put(branch string, h hop) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of == nil {
		w.of = make(map[string]hop)
	}
	for other := range w.of { // some was never sent
		if len(w.of) < waysBackMost {
			break
		}
		delete(w.of, other)
	}
	w.of[branch] = h
}

func (w *waysBack) take(branch string) (hop, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h, ok := w.of[branch]
	delete(w.of, branch)
	return h, ok
}

// prepare readies a request that is about to be sent: its connection is open, where it has one, and what is large for UDP
// goes by TCP. It blocks for up to connectWithin·T1, and for a look-up. Errors: of a look-up; of the connection, or of the last
// try to make it; of ctx; none of them while there is a way back.
func (u *UA) prepare(ctx context.Context, req *sipmsg.Request) error {
	err := u.prepareOne(ctx, req)
	via := req.Via()
	if via == nil {
		return err
	}
	back, ok := u.back.take(via.Params.GetOr("branch", ""))
	if err == nil || !ok || ctx.Err() != nil {
		return err
	}
	u.limited(zap.InfoLevel, "request of a call goes the way that the call came about by",
		zap.String("method", string(req.Method)), zap.String("instead of", req.Destination()), zap.Error(err))
	req.RemoveHeader("Via")
	req.Laddr = sipmsg.Addr{}
	u.dispatchable(req, back)
	return u.prepareOne(ctx, req)
}
