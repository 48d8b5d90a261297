package media

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// DefaultRest is how long a port pair rests on a hotline whose operator says nothing of it.
const DefaultRest = 5 * time.Second

// ErrBadOptions is why an engine cannot be made from its Options; what wraps it names the option.
var ErrBadOptions = errors.New("media: bad options")

// PortRange is the UDP ports that RTP may use, both ends included.
type PortRange struct{ Lo, Hi uint16 }

// Options say how an engine works. All but Address and Ports may be left zero.
type Options struct {
	// Address is where RTP is bound: each stream in the one family that its far end is told an address of. That is Address's,
	// but where it is [::], of either: what is told of IPv4 is then bound at 0.0.0.0.
	Address netip.Addr
	// Advertise is the address written into SDP when it differs from Address (behind NAT, or when
	// Address is unspecified, which nobody can send to), for streams that have none of their own.
	Advertise netip.Addr
	// Ports holds the pairs (even RTP, odd RTCP above it: RFC 3550 section 11).
	Ports PortRange
	// Rest is how long a pair is left alone after its stream closed: packets of the old call that are
	// still under way must not be heard in the next one. Zero means none, for tests; DefaultRest suits
	// the network.
	Rest time.Duration
	// Timeout is how long nothing may be heard on a stream before FactSilent is told; 0 is never. It is looked at once a
	// second.
	Timeout time.Duration
	// NoInband: keys are not looked for in the audio of far ends that did not agree to telephone-events.
	NoInband bool
	// Codecs offered and accepted, in order of preference. Empty means PCMA, PCMU.
	Codecs []Codec
	// OnPanic, if not nil, is told of each fault that was contained to one stream, which is then closed:
	// where, and what was recovered. It is called from engine goroutines and must not block.
	OnPanic func(where string, v any)
	// Logger; nil is silent.
	Logger *zap.Logger
	// Registry for metrics; nil is silent.
	Registry prometheus.Registerer
}

// checked returns the options with their defaults filled in, or every fault at once.
func (o Options) checked() (Options, error) {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrBadOptions}, args...)...))
	}
	o.Address, o.Advertise = o.Address.Unmap(), o.Advertise.Unmap()
	if !o.Advertise.IsValid() {
		o.Advertise = o.Address
	}
	switch {
	case !o.Address.IsValid():
		fault("no address to bind RTP at")
	case o.Advertise.IsUnspecified():
		fault("address %s cannot be sent to: an address to advertise is needed", o.Advertise)
	case !o.binds(o.Advertise):
		fault("address %s and advertised address %s are of different families", o.Address, o.Advertise)
	}
	if _, pairs := o.Ports.pairs(); pairs == 0 {
		fault("port range %d-%d holds no pair of an even port and the odd one above it", o.Ports.Lo, o.Ports.Hi)
	}
	if o.Rest < 0 {
		fault("rest %v is negative", o.Rest)
	}
	if o.Timeout < 0 {
		fault("timeout %v is negative", o.Timeout)
	}
	if len(o.Codecs) == 0 {
		o.Codecs = []Codec{PCMA, PCMU}
	}
	o.Codecs = slices.Clone(o.Codecs)
	for i, c := range o.Codecs {
		if _, known := staticPayloads[c]; !known {
			fault("codec %q is not known", c)
		}
		if slices.Contains(o.Codecs[:i], c) {
			fault("codec %q stands twice", c)
		}
	}
	if o.OnPanic == nil {
		o.OnPanic = func(string, any) {}
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return o, errors.Join(faults...)
}

// binds tells whether streams may be bound that are told of by an address: those of its family.
func (o Options) binds(advertise netip.Addr) bool {
	return o.Address.Is4() == advertise.Is4() || o.Address == netip.IPv6Unspecified()
}

// boundFor is where a stream is bound that is told of by an address.
func (o Options) boundFor(advertise netip.Addr) netip.Addr {
	if o.Address == netip.IPv6Unspecified() && advertise.Is4() {
		return netip.IPv4Unspecified()
	}
	return o.Address
}

// pairs returns the first even port and how many pairs follow from it within the range.
func (r PortRange) pairs() (first, count int) {
	first = int(r.Lo) + int(r.Lo)%2
	if r.Lo == 0 {
		first = 2 // port 0 asks the system for any port, and means "refused" in SDP
	}
	return first, max(0, (int(r.Hi)-first+1)/2)
}
