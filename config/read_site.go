package config

import (
	"net/netip"
	"slices"
	"strings"
)

// Keys, most of them of several nodes that are one hotline.
const (
	keyState  = "state"
	keyNode   = "node"
	keySIP    = "sip"
	keyHTTP   = "http"
	keySecret = "secret"
)

const (
	wantState = "redis://USER:PASSWORD@HOST:PORT/DB, rediss://… with TLS, redis+sentinel://…/MASTER/DB or redis+cluster://…, " +
		"or ${NAME} or file:PATH that has all of it"
	wantNodeSIP    = "ADDRESS:PORT where other nodes reach this one by SIP, such as 192.0.2.10:5070"
	wantNodeHTTP   = "ADDRESS:PORT where other nodes reach this one by HTTP, such as 192.0.2.10:8070"
	wantNodeSecret = "a secret of at least 32 characters, the same at all nodes: ${NAME} from the environment, or file:PATH"
)

// leastNodeSecret bounds a secret by which keys are made, in octets.
const leastNodeSecret = 32

// stateSchemes are the ways to a Redis.
var stateSchemes = []string{"redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"}

// state reads where nodes meet. What is wrong is not shown: it may hold a password.
func (r *reader) state(v value) {
	dst := &r.cfg.State
	switch given := v.secret(dst); {
	case !given:
		v.problem("nothing, or what is not set", wantState)
	case dst.value != "" && stateScheme(dst.value) == "":
		v.problem("not such a URL", wantState)
	}
}

// stateScheme is the way to a Redis that a URL says, empty for what is none. The rest of it is its client's to judge.
func stateScheme(text string) string {
	scheme, rest, _ := strings.Cut(text, "://")
	if !slices.Contains(stateSchemes, scheme) || rest == "" {
		return ""
	}
	return scheme
}

func (r *reader) node(v value) {
	n := &r.cfg.Node
	v.fields(
		field{keyName, func(v value) { v.text(&n.Name, nameShape) }},
		field{"site", func(v value) { v.text(&n.Site, nameShape) }},
		field{keySIP, func(v value) { v.endpoint(&n.SIP, udp, wantNodeSIP) }},
		field{keyHTTP, func(v value) { v.endpoint(&n.HTTP, tcp, wantNodeHTTP) }},
		field{keySecret, r.nodeSecret},
		field{"ca", func(v value) { v.text(&n.CA, pathShape) }},
	)
}

// endpoint takes ADDRESS:PORT, or {address: ADDRESS:PORT, advertise: ADDRESS[:PORT]}.
func (v value) endpoint(dst *Listener, network, want string) {
	l, ok := v.listens(want, func(v value, l *Listener) bool {
		text, ok := v.scalar(want)
		return ok && v.addrPort(&l.Address, text, want)
	}, nil)
	if l.Network = network; ok {
		*dst = l
	}
}

func (r *reader) nodeSecret(v value) {
	var s Secret
	switch given := v.secret(&s); {
	case !given:
		v.problem("nothing, or what is not set", wantNodeSecret)
	case s.value != "" && len(s.value) < leastNodeSecret:
		v.problem("a secret that is too short", wantNodeSecret)
	default:
		r.cfg.Node.Secret = s
	}
}

// settleNode fills in what a node is told of besides.
func (r *reader) settleNode() {
	n, h := &r.cfg.Node, r.cfg.HTTP.Listen
	if n.HTTP.Address == (netip.AddrPort{}) {
		n.HTTP = Listener{Network: tcp, Address: h, Advertise: n.HTTP.Advertise}
	}
	for _, l := range []*Listener{&n.SIP, &n.HTTP} {
		if !l.Advertise.IsValid() {
			l.Advertise = l.Address
		}
	}
}
