package sip

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"
)

// dialog is what two user agents share of a call (RFC 3261 section 12), as plain data that can be
// journalled. It has no lock: the leg that owns it guards it.
type dialog struct {
	CallID    string `json:"call_id"`
	LocalTag  string `json:"local_tag"`
	RemoteTag string `json:"remote_tag"`
	// LocalSeq is the CSeq of our last request, RemoteSeq of theirs; 0 when there was none.
	LocalSeq  uint32 `json:"local_seq"`
	RemoteSeq uint32 `json:"remote_seq"`
	// Local and Remote are the From and To of our requests, without tags.
	Local  string `json:"local"`
	Remote string `json:"remote"`
	// Target is the far end's Contact, refreshed by its re-INVITEs; Routes the route set in the order
	// in which our requests pass it, each as it stands in a Route header.
	Target string   `json:"target"`
	Routes []string `json:"routes"`
	// Transport, Peer and Ours are the way the dialog came about: the far end's address as we saw it, and
	// our socket's. Agent, if not empty, is whose registered flow is the way instead, while there is one.
	Transport string         `json:"transport"`
	Peer      netip.AddrPort `json:"peer"`
	Ours      netip.AddrPort `json:"ours"`
	Agent     string         `json:"agent,omitempty"`
	// Takes, if valid, is where a connection can be opened once that from Peer is no more, which stood aside for it.
	Takes netip.AddrPort `json:"takes,omitzero"`
	// SIPS: the far end's first address was of sips, which holds for the dialog.
	SIPS bool `json:"sips,omitempty"`
	// Relayed: the phone is registered at another node, which is Peer, and on the way of all requests.
	Relayed bool `json:"relayed,omitempty"`
	// Moved: that node is not the one on whose route the dialog came about, and takes requests by what By says.
	Moved bool      `json:"moved,omitempty"`
	By    *legOwner `json:"by,omitempty"`
	// Update: the far end takes UPDATE, as the last Allow of its said.
	Update bool `json:"update,omitempty"`
	// Session is the session timer, from the 2xx on.
	Session sessionTimer `json:"session"`
}

// id is the dialog's key (RFC 3261 section 12: Call-ID and both tags).
func (d *dialog) id() string { return dialogID(d.CallID, d.LocalTag, d.RemoteTag) }

func dialogID(callID, local, remote string) string { return callID + "\x00" + local + "\x00" + remote }

// dialogOfInvite is the dialog that our response to an INVITE makes (RFC 3261 section 12.1.1).
func dialogOfInvite(x *exchange, agent string) (dialog, error) {
	req := x.req
	target, ok := targetOf(req)
	if !ok && req.Contact() == nil && !modern(req) { // RFC 2543 section 6.13 left it to the caller
		target, ok = req.From().Address.String(), true
	}
	if !ok {
		return dialog{}, fmt.Errorf("INVITE without a Contact to reach")
	}
	d := dialog{
		CallID: req.CallID().Value(), LocalTag: x.localTag, RemoteTag: req.From().Params.GetOr("tag", ""),
		RemoteSeq: req.CSeq().SeqNo, Target: target,
		Local: nameAddr(req.To().DisplayName, &req.To().Address), Remote: nameAddr(req.From().DisplayName, &req.From().Address),
		Transport: x.src.transport, Peer: x.src.addr, Ours: x.src.local, Agent: agent, Takes: x.src.takes,
		SIPS: req.Recipient.Scheme == schemeSIPS,
	}
	d.heard(req)
	for h := range named(req, nameRecord) {
		d.Routes = append(d.Routes, h.Value())
	}
	return d, nil
}

// answeredBy completes the dialog of an INVITE of ours with a 2xx, or the early one with a 18x (RFC 3261 section
// 12.1.2).
func (d dialog) answeredBy(res *sipmsg.Response) (dialog, error) {
	to := res.To()
	target, ok := targetOf(res)
	if to == nil || !ok {
		return dialog{}, fmt.Errorf("%d without To, or a Contact to reach", res.StatusCode)
	}
	d.RemoteTag = to.Params.GetOr("tag", "")
	d.Target = target
	d.heard(res)
	d.Routes = nil
	for h := range named(res, nameRecord) {
		d.Routes = append(d.Routes, h.Value())
	}
	slices.Reverse(d.Routes)
	return d, nil
}

// refresh takes the remote target from a target refresh request, or from the 2xx to one of ours (RFC 3261 sections
// 12.2.2 and 12.2.1.2).
func (d *dialog) refresh(m contacted) {
	if target, ok := targetOf(m); ok {
		d.Target = target
	}
}

// contacted is a message with a Contact.
type contacted interface{ Contact() *sipmsg.ContactHeader }

// targetOf is the remote target that a message's Contact gives, which must be a sip or sips URI (RFC 3261 section
// 12.1.1).
func targetOf(m contacted) (string, bool) {
	c := m.Contact()
	if c == nil || c.Address.Host == "" || c.Address.Wildcard || c.Address.Scheme != schemeSIP && c.Address.Scheme != schemeSIPS {
		return "", false
	}
	return c.Address.String(), true
}

// heard takes what a message of the far end says that it can do (RFC 3261 section 20.5), if it says so.
func (d *dialog) heard(m sipmsg.Message) {
	if count(m, "allow") > 0 {
		d.Update = slices.Contains(optionTags(m, "allow"), sipmsg.UPDATE.String())
	}
}

// inOrder takes the CSeq of a request in the dialog; false when it is not above all before, and the request is
// owed 500 (RFC 3261 section 12.2.2). An equal one is a repetition whose transaction is gone: what it asked for
// was done. That is no reason to refuse a BYE.
func (d *dialog) inOrder(req *sipmsg.Request) bool {
	seq := req.CSeq().SeqNo
	// A far end that has sent none may begin at 0 (section 8.1.1.5).
	if seq < d.RemoteSeq || seq == d.RemoteSeq && seq != 0 && req.Method != sipmsg.BYE {
		return false
	}
	d.RemoteSeq = seq
	return true
}

// request makes a request in the dialog (RFC 3261 section 12.2.1.1), without Via: that is the user
// agent's, who knows the way. An ACK bears the number of its INVITE, which is seq; others take the next.
func (d *dialog) request(method sipmsg.RequestMethod, seq uint32) (*sipmsg.Request, error) {
	if method != sipmsg.ACK {
		d.LocalSeq++
		seq = d.LocalSeq
	}
	recipient, routes, err := d.routed()
	if err != nil {
		return nil, err
	}
	req := sipmsg.NewRequest(method, recipient)
	for _, r := range routes {
		req.AppendHeader(sipmsg.NewHeader("Route", r))
	}
	hops := sipmsg.MaxForwardsHeader(maxForwards)
	callID := sipmsg.CallIDHeader(d.CallID)
	req.AppendHeader(&hops)
	req.AppendHeader(sipmsg.NewHeader("From", tagged(d.Local, d.LocalTag)))
	req.AppendHeader(sipmsg.NewHeader("To", tagged(d.Remote, d.RemoteTag)))
	req.AppendHeader(&callID)
	req.AppendHeader(&sipmsg.CSeqHeader{SeqNo: seq, MethodName: method})
	req.AppendHeader(sipmsg.NewHeader("User-Agent", serverName))
	req.SetBody(nil)
	return req, nil
}

// maxForwards of our requests (RFC 3261 section 8.1.1.6).
const maxForwards = 70

// routed is the Request-URI and the Route headers for the route set: the remote target and the whole
// set, or, when its first member is a strict router, that one and the rest with the target at its end.
func (d *dialog) routed() (recipient sipmsg.Uri, routes []string, err error) {
	if err := sipmsg.ParseUri(d.Target, &recipient); err != nil {
		return recipient, nil, fmt.Errorf("read the remote target: %w", err)
	}
	if len(d.Routes) == 0 {
		return requestURI(&recipient), nil, nil
	}
	first, err := routeURI(d.Routes[0])
	if err != nil {
		return recipient, nil, err
	}
	if _, loose := findParam(first.UriParams, "lr"); loose {
		return requestURI(&recipient), d.Routes, nil
	}
	return requestURI(&first), append(slices.Clone(d.Routes[1:]), "<"+d.Target+">"), nil
}

// nextURI is where the dialog's requests go to by its URIs (RFC 3261 section 8.1.2).
func (d *dialog) nextURI() (uri sipmsg.Uri, err error) {
	if len(d.Routes) > 0 {
		return routeURI(d.Routes[0])
	}
	if err := sipmsg.ParseUri(d.Target, &uri); err != nil {
		return uri, fmt.Errorf("read the remote target: %w", err)
	}
	return uri, nil
}

// hostPort is where a URI points, with the port that it means when it names none (RFC 3261 section 19.1.2).
func hostPort(uri *sipmsg.Uri) string {
	port := uri.Port
	if port == 0 {
		port = sipmsg.DefaultUdpPort // of TCP as well
		if uri.Scheme == schemeSIPS || strings.EqualFold(param(uri.UriParams, "transport"), transportTLS) {
			port = sipmsg.DefaultTlsPort
		}
	}
	return net.JoinHostPort(strings.Trim(uri.Host, "[]"), strconv.Itoa(port))
}

func routeURI(route string) (sipmsg.Uri, error) {
	var uri sipmsg.Uri
	var params sipmsg.HeaderParams
	if _, err := sipmsg.ParseAddressValue(route, &uri, &params); err != nil {
		return uri, fmt.Errorf("read a route: %w", err)
	}
	return uri, nil
}

// nameAddr writes an address for a From or To, its display name quoted and rid of what could end the
// quotes or the line: the name may be a caller's.
func nameAddr(display string, uri *sipmsg.Uri) string {
	display = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, display)
	if display == "" {
		return "<" + uri.String() + ">"
	}
	return `"` + display + `" <` + uri.String() + ">"
}

func tagged(addr, tag string) string {
	if tag == "" {
		return addr
	}
	return addr + ";tag=" + tag
}
