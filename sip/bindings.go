package sip

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
)

// flow is the way to a registered phone: what its REGISTER came in by, which a NAT keeps open for
// us, and the contact it gave, which goes into the Request-URI (RFC 5626 section 3.1 calls the same a flow).
// It is a copy: nothing changes in it once it was handed out.
type flow struct {
	// transport is as in source.
	transport string
	// source is the far end's address as we see it: what we send to.
	source netip.AddrPort
	// local is the listener the phone registered at: what we send from.
	local netip.AddrPort
	// proxied: the phone registered through a proxy, which is the source.
	proxied bool
	// contact is the phone's own URI, without the parts that a Request-URI must not have (RFC 3261 19.1.5).
	contact sipmsg.Uri
	// serial tells registrations of the same phone apart: it rises whenever the flow is another one.
	serial uint64
}

// flowKey is what tells flows apart on the wire.
type flowKey struct {
	transport string
	source    netip.AddrPort
}

func keyOf(transport string, addr netip.AddrPort) flowKey {
	return flowKey{strings.ToUpper(transport), unmap(addr)}
}

// binding is one agent's registration (RFC 3261 section 10.2.1), and what is known of its flow.
type binding struct {
	agent   string
	flow    flow
	display sipmsg.Uri // the contact as it was given, for responses
	// instance is the phone's +sip.instance (RFC 5626 section 4.1); empty when it gave none.
	instance string
	callID   string
	cseq     uint32
	since    time.Time // when the phone came here
	expires  time.Time
	losers   []loser // phones that had the agent's place before; at most losersPerAgent

	// lost: pings were missed or a send failed; nothing is sent to the phone but pings.
	lost bool
	// pinging: a ping is under way; misses are those lost in a row; nextPing is when the next is due.
	pinging  bool
	misses   int
	nextPing time.Time
}

// bindings is the table of registrations: one for each agent, found by agent and by flow. Several
// agents may share a flow (phones behind one socket). It has no lock: registrar.mu guards it.
type bindings struct {
	byAgent map[string]*binding
	byFlow  map[flowKey][]*binding
	byHost  map[netip.Addr]int // how many are there
	serial  uint64
}

func newBindings() *bindings {
	return &bindings{
		byAgent: make(map[string]*binding), byFlow: make(map[flowKey][]*binding), byHost: make(map[netip.Addr]int),
	}
}

// get returns the agent's binding while it lasts.
func (t *bindings) get(agent string, now time.Time) (*binding, bool) {
	b, ok := t.byAgent[agent]
	if !ok || !b.expires.After(now) {
		return nil, false
	}
	return b, true
}

// at returns the agents whose phones are at a flow, in order of id.
func (t *bindings) at(key flowKey, now time.Time) []string {
	var agents []string
	for _, b := range t.byFlow[key] {
		if b.expires.After(now) {
			agents = append(agents, b.agent)
		}
	}
	slices.Sort(agents)
	return agents
}

// put enters b in place of the agent's binding before, if there was one. The flow
// keeps its serial when it is the same flow with the same contact, so that a refresh does not
// disown a ping or a call under way.
func (t *bindings) put(b *binding) {
	old := t.remove(b.agent)
	if old != nil && keyOf(old.flow.transport, old.flow.source) == keyOf(b.flow.transport, b.flow.source) &&
		sameContact(&old.display, &b.display) {
		b.flow.serial = old.flow.serial
		b.pinging = old.pinging
	} else {
		t.serial++
		b.flow.serial = t.serial
	}
	key := keyOf(b.flow.transport, b.flow.source)
	t.byAgent[b.agent] = b
	t.byFlow[key] = append(t.byFlow[key], b)
	t.byHost[key.source.Addr()]++
}

// remove takes the agent's binding out and returns it, nil when there was none.
func (t *bindings) remove(agent string) *binding {
	b, ok := t.byAgent[agent]
	if !ok {
		return nil
	}
	delete(t.byAgent, agent)
	key := keyOf(b.flow.transport, b.flow.source)
	rest := slices.DeleteFunc(t.byFlow[key], func(o *binding) bool { return o == b })
	if len(rest) == 0 {
		delete(t.byFlow, key)
	} else {
		t.byFlow[key] = rest
	}
	if host := key.source.Addr(); t.byHost[host] > 1 {
		t.byHost[host]--
	} else {
		delete(t.byHost, host)
	}
	return b
}

// sameContact compares contacts as RFC 3261 19.1.4 does, in the parts a phone's contact has: user,
// host, port and transport. Parameters that only one of them has are otherwise ignored.
func sameContact(a, b *sipmsg.Uri) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && a.User == b.User && a.Password == b.Password &&
		strings.EqualFold(a.Host, b.Host) && a.Port == b.Port &&
		strings.EqualFold(param(a.UriParams, "transport"), param(b.UriParams, "transport"))
}

// param returns a parameter's value without quotes, its name compared without regard to case as
// RFC 3261 7.3.1 wants; empty when there is none.
func param(params sipmsg.HeaderParams, name string) string {
	v, _ := findParam(params, name)
	return v
}

// findParam is param, and tells whether the parameter is there.
func findParam(params sipmsg.HeaderParams, name string) (string, bool) {
	for _, kv := range params {
		if strings.EqualFold(kv.K, name) {
			return strings.Trim(kv.V, `"`), true
		}
	}
	return "", false
}
