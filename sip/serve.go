package sip

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"
)

// What our responses say we can do (RFC 3261 sections 20.1, 20.5).
const (
	allowed    = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, REGISTER, PRACK, UPDATE, REFER, SUBSCRIBE, NOTIFY"
	accepted   = "application/sdp, application/dtmf-relay, application/dtmf"
	sdpType    = "application/sdp"
	serverName = "hotline"
)

// exchange is one request being served: the request, the transaction that answers it, and who sent it.
type exchange struct {
	ua  *UA
	req *sipmsg.Request
	tx  *sipmsg.ServerTx
	src source
	// inDialog: the request carried a To tag. localTag is that tag, or the one all our responses bear.
	inDialog bool
	localTag string
	final    atomic.Bool  // a final response was given to the transaction
	code     atomic.Int32 // of that; 0 before
	// begun: some response was. trying sends 100 until then; nil where none is owed. See tryLater.
	begun  atomic.Bool
	trying atomic.Pointer[time.Timer]
	// stranger: it comes from a host that we do not know, and belongs to no call of ours. Nothing is
	// remembered of it once it is answered.
	stranger bool
}

// astray marks a response that no request of ours can have had, by its branch or its CSeq, as one of a transaction that
// there never was: sipgo then tells of it as of any that came too late, and does not fail over it in the log, where an
// operator could do nothing about it.
func astray(res *sipmsg.Response) {
	params := sipmsg.NewParams()
	params.Add("branch", sipmsg.RFC3261BranchMagicCookie+"-astray")
	res.PrependHeader(&sipmsg.ViaHeader{
		ProtocolName: protocolName, ProtocolVersion: "2.0", Transport: res.Transport(), Host: "invalid", Params: params,
	})
	if res.CSeq() == nil {
		res.AppendHeader(&sipmsg.CSeqHeader{MethodName: sipmsg.OPTIONS})
	}
}

// arrived sees each message on the goroutine that read it, before the transaction layer spawns others.
// Here alone a message may be changed: it is stamped, and a request without a To tag
// is given the one that all responses to it must bear (RFC 3261 section 8.2.6.2), those included that sipgo
// makes by itself.
func (u *UA) arrived(msg sipmsg.Message) {
	defer u.contain("arrived", nil)
	transport, takes := strings.ToUpper(msg.Transport()), netip.AddrPort{}
	if reliable(transport) {
		if peer, err := netip.ParseAddrPort(msg.Source()); err == nil {
			t := u.conns.heard(transport, unmap(peer))
			u.heardStream(msg, t, unmap(peer))
			if t != nil {
				transport, takes = t.transport, t.takes
			}
		}
	}
	noted := stamp(msg)
	noted.transport, noted.takes = transport, takes
	if !reliable(transport) {
		noted.queued = time.Duration(u.queued.Load())
		unmarked(msg)
	}
	req, ok := msg.(*sipmsg.Request)
	if !ok {
		if res, ok := msg.(*sipmsg.Response); ok {
			if !modern(res) || res.CSeq() == nil {
				astray(res)
				return
			}
			unwrap(res)
			u.progress(res)
			u.refusedAgain(res)
		}
		return
	}
	u.metrics.request(req.Method)
	receivedFrom(req, noted.takes)
	if describes(req.Method) || req.IsAck() {
		unwrap(req)
	}
	if from := req.From(); from != nil && !from.Params.Has("tag") {
		from.Params.Add("tag", "") // sipgo's transactions want one; see response
	}
	to := req.To()
	if to == nil || to.Params.GetOr("tag", "") != "" || req.Method == sipmsg.ACK { // one without a value is none
		return
	}
	noted.tag = u.tagFor(req)
	to.Params.Add("tag", noted.tag)
}

// receivedFrom notes in a request's top Via where it came from, unless its sent-by says so: a name does not (RFC 3261 section
// 18.2.1). What the sender says of that itself counts for nothing.
func receivedFrom(req *sipmsg.Request, takes netip.AddrPort) {
	via, from := req.Via(), sourceOf(req, nil).addr.Addr()
	if via == nil || !from.IsValid() {
		return
	}
	via.Params.Remove("received")
	if via.Params.Has("rport") || !sentFrom(via.Host, from) { // RFC 3581 section 4 wants it beside an rport
		via.Params.Add("received", from.String())
	}
	if port, asks := via.Params.Get("rport"); asks && port == "" && takes.IsValid() { // sipgo would write the port that stands for it
		via.Params.Add("rport", strconv.Itoa(int(takes.Port())))
	}
}

// sentFrom tells whether the host of a sent-by is the address that a message came from.
func sentFrom(host string, from netip.Addr) bool {
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.Unmap() == from.Unmap()
}

// tagFor derives the To tag of responses to a request from what identifies its transaction, so that it
// need not be remembered, and cannot be made up by somebody else. A CANCEL gets its INVITE's.
func (u *UA) tagFor(req *sipmsg.Request) string {
	secret := make([]byte, 0, tagInput)
	secret = append(secret, u.tagKey[:]...)
	write := func(s string) { secret = append(append(secret, s...), 0) }
	if id := req.CallID(); id != nil {
		write(id.Value())
	}
	if from := req.From(); from != nil {
		write(from.Params.GetOr("tag", ""))
	}
	if via := req.Via(); via != nil {
		write(via.Params.GetOr("branch", "") + via.SentBy())
	}
	if seq := req.CSeq(); seq != nil {
		write(strconv.FormatUint(uint64(seq.SeqNo), 10))
	}
	// A hash over a secret and a text is as good as an HMAC where most of it is thrown away, and costs a third.
	sum := sha256.Sum256(secret)
	const length = 10 // octets; RFC 3261 section 19.3 wants at least 4 random ones
	return hex.EncodeToString(sum[:length])
}

// tagInput is room for what tagFor hashes of an ordinary request, in octets.
const tagInput = 256

// grow makes room on a goroutine's stack for what serving an INVITE needs, at once: from the little that one begins with
// it would be doubled, and copied, four times on the way, which is a twelfth of the CPU time of a call.
//
//go:noinline
func grow() {
	const room = 12 << 10
	var pad [room]byte
	runtime.KeepAlive(&pad[0])
}

// growLess is grow for what other requests need that are answered. It is cheap here, where few frames are to be copied.
//
//go:noinline
func growLess() {
	const room = 5 << 10
	var pad [room]byte
	runtime.KeepAlive(&pad[0])
}

// serve is the one wrapper around every handler: it counts the goroutine in, contains its panic, checks
// the request's form, and ends its transaction if nothing answered it.
func (u *UA) serve(req *sipmsg.Request, tx *sipmsg.ServerTx) {
	if !u.tasks.enter() {
		tx.Terminate()
		return
	}
	defer u.tasks.leave()
	if a := arrivalOf(req); a != nil {
		u.waited(time.Since(a.at) + a.queued)
	}
	switch {
	case req.IsInvite():
		grow()
	case !req.IsAck():
		growLess()
	}
	x := &exchange{ua: u, req: req, tx: tx, src: sourceOf(req, tx.Connection().LocalAddr())}
	x.stranger = !u.known(x.src.addr.Addr())
	defer x.finish()
	defer u.contain(methodLabel(req.Method), func() { x.reply(sipmsg.StatusInternalServerError) })
	a := arrivalOf(req)
	if a != nil {
		x.src.transport = a.transport
	}
	if c := u.conns.of(x.src.transport, x.src.addr); c != nil {
		x.src.takes = c.takes
		if c.made {
			x.stranger = !c.known()
			x.src.local = c.ours // a port of the connection's own is nowhere to call us at
		}
	}
	if to := req.To(); to != nil {
		x.localTag = to.Params.GetOr("tag", "")
		x.inDialog = a == nil || x.localTag != a.tag // what arrived without a tag was given one
	}
	if code, headers := check(x); code != 0 {
		if req.IsAck() {
			u.metrics.drop(dropACK)
		}
		x.reply(code, headers...)
		return
	}
	if u.notOfNodes(x) {
		x.reply(sipmsg.StatusForbidden)
		return
	}
	u.dispatch(x)
}

// notOfNodes tells whether a request came to the nodes' door that no node sends: one outside a dialog, since an INVITE that
// has a claim is the proxy's, and a REGISTER with whatever tags. A phone that were registered there would have its responses
// taken for a node's.
func (u *UA) notOfNodes(x *exchange) bool {
	return u.atDoor(x) && !x.req.IsAck() && (!x.inDialog || x.req.Method == sipmsg.REGISTER)
}

// atDoor tells whether a request came to the door that the nodes have for each other.
func (u *UA) atDoor(x *exchange) bool {
	return u.site != nil && x.src.transport == transportUDP && x.src.local == u.site.door.bound
}

// dispatch is the table of methods.
func (u *UA) dispatch(x *exchange) {
	switch x.req.Method { //nolint:exhaustive // what is not served is one case
	case sipmsg.INVITE:
		if x.inDialog {
			u.reinvite(x)
		} else {
			u.incoming(x)
		}
	case sipmsg.ACK:
		u.ack(x)
	case sipmsg.BYE:
		u.bye(x)
	case sipmsg.CANCEL: // one that matches an INVITE is answered by its transaction
		x.reply(sipmsg.StatusCallTransactionDoesNotExists)
	case sipmsg.INFO:
		u.info(x)
	case sipmsg.PRACK:
		u.prack(x)
	case sipmsg.UPDATE:
		u.update(x)
	case sipmsg.OPTIONS:
		u.options(x)
	case sipmsg.REFER:
		u.refer(x)
	case sipmsg.SUBSCRIBE:
		u.subscribe(x)
	case sipmsg.NOTIFY:
		u.notified(x)
	case sipmsg.REGISTER:
		_ = x.send(u.registrar.handle(x.req, x.src)) // as in reply
	default:
		x.reply(sipmsg.StatusMethodNotAllowed, sipmsg.NewHeader("Allow", allowed))
	}
}

// reply sends a response without a body.
func (x *exchange) reply(code int, headers ...sipmsg.Header) {
	_ = x.send(x.response(code, nil, headers...)) // logged there; there is nobody else to tell
}

// response makes a response to the request; a body is SDP.
func (x *exchange) response(code int, body []byte, headers ...sipmsg.Header) *sipmsg.Response {
	res := sipmsg.NewResponseFromRequest(x.req, code, reason(code), body)
	if from := res.From(); from != nil && from.Params.GetOr("tag", "none") == "" {
		from.Params.Remove("tag") // put there by arrived
	}
	for _, h := range headers {
		res.AppendHeader(h)
	}
	if body != nil {
		res.AppendHeader(sipmsg.NewHeader("Content-Type", sdpType))
	}
	if code > sipmsg.StatusTrying {
		res.AppendHeader(sipmsg.NewHeader("Server", serverName))
	}
	return res
}

// errFinal: the request has had its final response, ours or the one that sipgo gives to a CANCEL.
var errFinal = errors.New("sip: request was answered before")

// send gives a response to the transaction. Errors: errFinal; sipmsg.ErrTransactionCanceled when a
// CANCEL was first; that of the socket.
func (x *exchange) send(res *sipmsg.Response) error {
	if x.req.IsAck() || res == silence {
		return nil // nothing answers an ACK
	}
	if res.StatusCode >= sipmsg.StatusOK {
		if x.final.Swap(true) {
			return errFinal
		}
		x.code.Store(int32(res.StatusCode)) //nolint:gosec // of three digits
	} else if x.final.Load() {
		return errFinal
	}
	if res.StatusCode > sipmsg.StatusTrying {
		x.begin()
	}
	res.SipVersion = version
	if err := x.respond(res); err != nil {
		return err
	}
	x.ua.metrics.response(x.req.Method, res.StatusCode)
	return nil
}

// respond gives a response to the transaction, for the first time or again; send is for the first.
func (x *exchange) respond(res *sipmsg.Response) error {
	err := x.tx.Respond(res)
	if errors.Is(err, sipmsg.ErrTransactionCanceled) {
		// A CANCEL was first. sipgo nevertheless took res for what it resends; put its 487 back.
		_ = x.tx.Respond(x.response(sipmsg.StatusRequestTerminated, nil)) // the error is the same again
		return fmt.Errorf("respond %d: %w", res.StatusCode, err)
	}
	if err != nil {
		x.ua.log.Debug("response not sent", zap.Stringer("method", x.req.Method),
			zap.Int("code", res.StatusCode), zap.Error(err))
		if res.IsSuccess() && x.req.IsInvite() {
			x.unanswered()
		}
	}
	return err
}

// unanswered ends an INVITE whose 2xx could not be sent, since it is too large or the socket fails: sipgo would keep
// its transaction for ever, and the far end hear nothing. The refusal is smaller.
func (x *exchange) unanswered() {
	res := x.response(sipmsg.StatusInternalServerError, nil)
	if err := x.tx.Connection().WriteMsg(res); err != nil {
		x.ua.log.Debug("refusal not sent either", zap.Error(err))
	}
	x.tx.Terminate()
}

// cancelled notes that a CANCEL came in time: sipgo has answered it, and the INVITE with 487. It is called
// inside the transaction, so it must not use it.
func (x *exchange) cancelled() {
	x.final.Store(true)
	x.begin()
	x.ua.metrics.response(sipmsg.CANCEL, sipmsg.StatusOK)
	x.ua.metrics.response(sipmsg.INVITE, sipmsg.StatusRequestTerminated)
}

// finish ends the transaction of a request that nothing answers, and of one by a stranger: a transaction is
// kept for 64·T1, some kilobytes each, and would repeat a refusal at an address that may be somebody else's.
// A request that comes again is then answered again (RFC 3261 section 8.2.7). A REGISTER may have made the
// stranger known. In the name of who is known others may send, by UDP: see idempotent.
func (x *exchange) finish() {
	x.begin()
	if !x.final.Load() || x.idempotent() || x.stranger && !x.ua.known(x.src.addr.Addr()) {
		x.tx.Terminate()
	}
}
