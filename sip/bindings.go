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
	// takes is as in [source].
	takes netip.AddrPort
	// local is the listener the phone registered at: what we send from.
	local netip.AddrPort
	// proxied: the phone registered through a proxy, which is the source.
	proxied bool
	// contact is the phone's own URI, without the parts that a Request-URI must not have (RFC 3261 19.1.5).
	contact sipmsg.Uri
	// serial tells registrations of the same phone apart: it rises whenever the flow is another one.
	serial uint64
}

// shown is the far end as people are to see it; see source.shown.
func (f *flow) shown() netip.AddrPort {
	if f.takes.IsValid() {
		return f.takes
	}
	return f.source
}

// seenAt is where other nodes may take the phone to be; the zero value where its source says nothing of that: where it, or a proxy
// before it, is on this very host, or reached by way of one link alone, and of WebSockets, which come by a proxy of ours.
func (f *flow) seenAt() netip.Addr {
	if at := f.source.Addr(); !at.IsLoopback() && at.Zone() == "" && !isWebSocket(f.transport) {
		return at
	}
	return netip.Addr{}
}

// flowKey is what tells flows apart on the wire.
type flowKey struct {
	transport string
	source    netip.AddrPort
}

func keyOf(transport string, addr netip.AddrPort) flowKey {
	return flowKey{strings.ToUpper(transport), unmap(addr)}
}

// flowsMost is how many flows one phone may have (RFC 5626 section 4.2 has it make two; one that is to be spared is kept
// while the next is made). The one that was registered first goes when there are more.
const flowsMost = 4

// binding is one registration of an agent's phone (RFC 3261 section 10.2.1), and what is known of its flow. A phone that
// speaks RFC 5626 has one for each of its flows; any other has one.
type binding struct {
	agent   string
	flow    flow
	display sipmsg.Uri // the contact as it was given, for responses
	// instance is the phone's +sip.instance (RFC 5626 section 4.1); empty when it gave none.
	instance string
	// reg is the flow's number, reg-id, which with instance is its name (RFC 5626 section 6); 0: the phone has this flow alone.
	reg     uint32
	callID  string
	cseq    uint32
	since   time.Time // when the phone came here
	expires time.Time
	losers  []loser // phones that had the agent's place before; at most losersPerAgent

	// lost: pings were missed or a send failed; nothing is sent to the phone but pings.
	lost bool
	// pinging: a ping is under way; misses are those lost in a row; nextPing is when the next is due.
	pinging  bool
	misses   int
	nextPing time.Time
}

// bindings is the table of registrations: of one phone for each agent, found by agent and by flow. Several
// agents may share a flow (phones behind one socket). It has no lock: registrar.mu guards it.
type bindings struct {
	byAgent map[string][]*binding // the flows of the agent's phone, that which came last first; 1 to flowsMost
	byFlow  map[flowKey][]*binding
	byHost  map[netip.Addr]int // how many are there
	serial  uint64
}

func newBindings() *bindings {
	return &bindings{
		byAgent: make(map[string][]*binding), byFlow: make(map[flowKey][]*binding), byHost: make(map[netip.Addr]int),
	}
}

// get returns the binding by which the agent's phone is to be reached, while it lasts: of the last flow that was not found
// lost, or of the last of all. So that it is of a lost one only when all are.
func (t *bindings) get(agent string, now time.Time) (b *binding, ok bool) {
	for _, o := range t.byAgent[agent] {
		if o.expires.After(now) && (b == nil || b.lost && !o.lost) {
			b = o
		}
	}
	return b, b != nil
}

// flow returns an agent's binding whose flow has a serial; nil when there is none any more.
func (t *bindings) flow(agent string, serial uint64) *binding {
	for _, b := range t.byAgent[agent] {
		if b.flow.serial == serial {
			return b
		}
	}
	return nil
}

// before returns the bindings that one of instance and reg takes the place of: that of the same flow, and, where it or they
// are no flow beside others of one phone, all.
func (t *bindings) before(agent, instance string, reg uint32) []*binding {
	var out []*binding
	for _, b := range t.byAgent[agent] {
		if reg == 0 || b.reg == 0 || b.instance != instance || b.reg == reg {
			out = append(out, b)
		}
	}
	return out
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
	return slices.Compact(agents)
}

// put enters b in place of those before it. The flow
// keeps its serial, and its place among others, when it is the same flow with the same contact, so that a refresh does not
// disown a ping or a call under way.
func (t *bindings) put(b *binding) {
	key, place := keyOf(b.flow.transport, b.flow.source), 0
	for _, old := range t.before(b.agent, b.instance, b.reg) {
		if b.flow.serial == 0 && keyOf(old.flow.transport, old.flow.source) == key && sameContact(&old.display, &b.display) {
			b.flow.serial, b.pinging = old.flow.serial, old.pinging
			place = slices.Index(t.byAgent[b.agent], old)
		}
		t.remove(old)
	}
	if b.flow.serial == 0 {
		t.serial++
		b.flow.serial = t.serial
	}
	for n := len(t.byAgent[b.agent]); n >= flowsMost; n-- {
		t.remove(t.byAgent[b.agent][n-1])
	}
	t.byAgent[b.agent] = slices.Insert(t.byAgent[b.agent], min(place, len(t.byAgent[b.agent])), b)
	t.byFlow[key] = append(t.byFlow[key], b)
	t.byHost[key.source.Addr()]++
}

// removeAll takes all of an agent's bindings out, and tells whether there were any.
func (t *bindings) removeAll(agent string) bool {
	all := slices.Clone(t.byAgent[agent])
	for _, b := range all {
		t.remove(b)
	}
	return len(all) > 0
}

// remove takes a binding out. Of one that is not there any more it changes nothing.
func (t *bindings) remove(b *binding) {
	flows := t.byAgent[b.agent]
	i := slices.Index(flows, b)
	switch {
	case i < 0:
		return
	case len(flows) == 1:
		delete(t.byAgent, b.agent)
	default:
		t.byAgent[b.agent] = slices.Delete(flows, i, i+1)
	}
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
