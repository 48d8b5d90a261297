package config

import "strings"

// nodeSockets are what a node binds for the others.
func (r *reader) nodeSockets() (bound []socket) {
	n := r.cfg.Node
	if n.SIP.Address.IsValid() {
		bound = append(bound, socket{"node.sip", udp, n.SIP.Address, false})
	}
	if n.HTTP.Address != r.cfg.HTTP.Listen { // else one socket serves both
		bound = append(bound, socket{"node.http", tcp, n.HTTP.Address, true})
	}
	return bound
}

// checkNode: nodes that are one hotline must reach each other, know each other, and write to one database.
func (r *reader) checkNode() {
	c, n := r.cfg, r.cfg.Node
	if !r.written(keyState) {
		if r.written(keyNode) {
			r.report(keyNode, "a node of several, without "+keyState, keyState+": where the nodes meet; or no "+keyNode)
		}
		return
	}
	if !r.written("records") {
		r.report(keyState, "nodes of one hotline, without records",
			"records: postgres://…, the same at all nodes: a call's record must be found from each")
	}
	for _, key := range []struct {
		name, want string
		missing    bool
	}{
		{keyName, nameShape.want + ", which no other node has", n.Name == ""},
		{keySIP, wantNodeSIP, !n.SIP.Address.IsValid()},
		{keySecret, wantNodeSecret, n.Secret == Secret{}},
	} {
		if path := keyNode + "." + key.name; key.missing && !r.broken[path] {
			r.report(path, "nothing", key.want)
		}
	}
	r.checkNodeAddress("node.sip", n.SIP, wantNodeSIP)
	r.checkNodeAddress("node.http", n.HTTP, wantNodeHTTP)
	if scheme := stateScheme(c.State.value); n.CA != "" && scheme != "" && !strings.HasPrefix(scheme, "rediss") {
		r.report("node.ca", "certificates for a Redis without TLS", "state: rediss://…, or no ca")
	}
}

// checkNodeAddress: an address that other nodes are told must be one they can reach.
func (r *reader) checkNodeAddress(path string, l Listener, want string) {
	outside := false
	for _, s := range r.cfg.SIP.Listen {
		outside = outside || !s.Address.Addr().IsLoopback()
	}
	switch at := l.Advertise; {
	case r.broken[path] || !at.IsValid():
	case at.Addr().IsUnspecified():
		r.report(path, quote(at.String())+", which no other node reaches", want+"; or {address: "+l.Address.String()+", advertise: that}")
	case outside && at.Addr().IsLoopback():
		r.report(path, quote(at.String())+" while sip.listen is not on loopback", want)
	}
}
