package sip

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"hotline/call"
	"hotline/media"
)

// TrunkOptions describe one trunk: who may call in without registering, and where its numbers lead.
type TrunkOptions struct {
	// Name is the trunk's name in records and logs.
	Name string
	// Allow lists the networks its calls come from. Where networks of several trunks overlap, the
	// longest prefix decides; of equal ones the trunk named first.
	Allow []netip.Prefix
	// Numbers maps each number that may be dialled to where it leads.
	Numbers map[string]call.Next
	// Out, if not nil, is how numbers outside are called through it.
	Out *TrunkOut
	// Register, if not nil, is how it is told where we are; calls that come by that are its calls.
	Register *TrunkRegister
	// Login, if not nil, is what it answers our challenge with, where it has no address that we know.
	Login *TrunkLogin
	// Codecs are those spoken through it, in order of preference; empty: the engine's.
	Codecs []media.Codec
	// MaxCalls bounds the calls under way by it, both ways together; 0: no bound. One more is refused with the status of
	// call.CauseOverload, or goes out by the next trunk. Alarms come in all the same, and count.
	MaxCalls int
	// Numbering, if not nil, is how its numbers are written.
	Numbering *Numbering
	// Doubted: what its calls say of their callers beyond From is not believed: neither P-Asserted-Identity nor how a call was
	// diverted; and From is not taken for proven (call.Incoming.Unproven).
	Doubted bool
	// Ping is how often it is asked by OPTIONS whether it lives, where it has Out or Register; 0: not at all.
	Ping time.Duration
	// Secure is whether audio through it is encrypted, in and out; the zero value means media.SecurityOff.
	Secure media.Security
	// TLS, if not nil, is how connections to it are secured; nil: by what the system trusts, for the host of the address.
	TLS *TrunkTLS
}

// trunks finds a call's trunk by the address it came from. Any goroutine may ask: but for where each was called
// last it is immutable.
type trunks struct {
	list []*trunk
}

// trunk is one TrunkOptions, checked and copied.
type trunk struct {
	name      string
	allow     []netip.Prefix
	numbers   map[string]call.Next
	e164      map[string]string // the same as written there, where there are rules for numbers: by the form in which each is one
	out       *TrunkOut
	secure    media.Security
	codecs    []media.Codec
	calls     *trunkCalls
	ping      *pinger       // nil where it is not asked whether it lives
	reg       *registration // nil where it does not register
	maxCalls  int
	numbering *Numbering
	doubted   bool
	tls       *trunkTLS   // nil without TrunkOptions.TLS
	at        atomicAddrs // where it was called, the last first: calledMost at most
}

// newTrunks copies what it is given; prefixes that are not valid match nothing.
func newTrunks(options []TrunkOptions) *trunks {
	t := &trunks{list: make([]*trunk, 0, len(options))}
	for _, o := range options {
		one := &trunk{name: o.Name, numbers: maps.Clone(o.Numbers), secure: o.Secure, doubted: o.Doubted}
		one.codecs, one.maxCalls, one.calls, one.numbering = slices.Clone(o.Codecs), o.MaxCalls, &trunkCalls{}, o.Numbering
		one.e164, _ = o.sameNumbers() // CheckNumbers has told
		for _, p := range o.Allow {
			if p := unmapPrefix(p); p.IsValid() {
				one.allow = append(one.allow, p)
			}
		}
		if o.Out != nil {
			out := *o.Out
			one.out = &out
		}
		one.ping = newPinger(&o)
		if o.Register != nil {
			one.reg = newRegistration(o.Name, *o.Register)
		}
		t.list = append(t.list, one)
	}
	return t
}

// unmapPrefix gives a network of IPv4-mapped addresses (RFC 4291 2.5.5.2) its IPv4 form, since a
// packet's address is compared in that form whatever socket it came in at.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	const mapped = 96 // bits before the IPv4 address
	if p.Addr().Is4In6() && p.Bits() >= mapped {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
	}
	return p
}

// match finds the trunk whose network holds addr: the longest prefix wins. An address of the registrar that a trunk
// registers to counts as one of the trunk's own.
func (t *trunks) match(addr netip.Addr) (*trunk, bool) {
	addr = addr.Unmap().WithZone("")
	var best *trunk
	bits := -1
	for _, one := range t.list {
		for _, p := range one.allow {
			if p.Bits() > bits && p.Contains(addr) {
				best, bits = one, p.Bits()
			}
		}
		if one.reg != nil && addr.BitLen() > bits && one.reg.hosts.has(addr) {
			best, bits = one, addr.BitLen()
		}
	}
	return best, best != nil
}

// contact finds the trunk that has registered a Contact of that user.
func (t *trunks) contact(user string) (*trunk, bool) {
	for _, one := range t.list {
		if one.reg != nil && user != "" && hmac.Equal([]byte(one.reg.user), []byte(user)) {
			return one, true
		}
	}
	return nil, false
}

// route tells where a number dialled on this trunk leads; false when the trunk does not have it. With rules for numbers
// it may be written in another form than the trunk's.
func (t *trunk) route(number string) (call.Next, bool) {
	own, ok := t.own(number)
	return t.numbers[own], ok
}

// errTwin: two numbers of a trunk are one.
var errTwin = errors.New("the same number, written in two ways, leads to two places")

// CheckNumbers tells why a trunk's numbers cannot be told apart; nil if they can, or lead to the same place. Without
// rules for numbers each is another.
func (o *TrunkOptions) CheckNumbers() error {
	_, err := o.sameNumbers()
	return err
}

// sameNumbers are the numbers in the form in which each number is one, whatever forms it has; nil without rules for numbers.
// The error names the first two, in the order of their digits, that are one and lead to different places.
func (o *TrunkOptions) sameNumbers() (map[string]string, error) {
	if o.Numbering == nil {
		return nil, nil
	}
	written := make(map[string]string, len(o.Numbers))
	var err error
	for _, number := range slices.Sorted(maps.Keys(o.Numbers)) {
		form := o.Numbering.write(number, FormE164)
		if before, twice := written[form]; !twice {
			written[form] = number
		} else if err == nil && !reflect.DeepEqual(o.Numbers[before], o.Numbers[number]) {
			err = fmt.Errorf("numbers %s and %s of trunk %s: %w", before, number, o.Name, errTwin)
		}
	}
	return written, err
}

// begins tells whether digits are the beginning of a number of this trunk, so that a sender in overlap has more to
// send (RFC 3261 section 21.4.22).
func (t *trunk) begins(digits string) bool {
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return false
	}
	for number := range t.numbers {
		if len(number) > len(digits) && strings.HasPrefix(number, digits) {
			return true
		}
	}
	return false
}

// keep keeps a registration, and what is known of whether the trunk lives, over a reload that does not change them.
func (t *trunk) keep(before *trunk) {
	t.calls = before.calls
	if t.reg != nil && before.reg != nil && t.reg.o == before.reg.o {
		t.reg = before.reg
	}
	if t.ping != nil && before.ping != nil && t.ping.o == before.ping.o {
		t.ping = before.ping
	}
}
