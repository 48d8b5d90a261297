package sip

import (
	"context"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"hotline/call"
	"hotline/media"
)

// Listener is one address to listen on.
type Listener struct {
	// Network is "udp", "tcp", "tls" (RFC 3261 section 26.2.1), "ws" or "wss" (RFC 7118).
	Network string
	// Address to bind; port 0 takes a free one, see UA.Addrs.
	Address netip.AddrPort
	// Advertise is the address written into Via and Contact, for a listener behind NAT; the zero value
	// means the bound address, or, where that is unspecified, the one the host routes to the peer from.
	// Its port may be 0: the bound one.
	Advertise netip.AddrPort
	// AdvertiseName and AdvertisePort stand in Via and Contact instead: the name that the certificate is of, which carriers
	// hold it against (RFC 5922 section 7). For "tls" and "wss". The port may be 0: the bound one.
	AdvertiseName string
	AdvertisePort uint16
	// Certificate and Key are the files (PEM) of what the listener shows those who connect, the chain after its own
	// certificate, and of the key to it; for "tls" and "wss" only. They are read anew by Reload, and when they change.
	Certificate, Key string
	// Path is what a WebSocket has to ask for, such as "/ws", and Origins are the sites whose pages may make one, such as
	// "https://desk.example" (RFC 6455 section 10.2); for "ws" and "wss" only.
	Path    string
	Origins []string
}

// name is how a listener is told of.
func (l *Listener) name() string { return l.Network + "://" + l.Address.String() }

// Options of a user agent.
type Options struct {
	Listen []Listener
	// Realm of the digest challenges (RFC 3261 section 22.1).
	Realm string
	// Digest algorithms offered to agents that have no list of their own, in order; default md5.
	Digest []string
	Agents []AgentOptions
	Trunks []TrunkOptions
	// Queues are the names of queues, which agents may dial and refer to.
	Queues []string
	// Codes are what agents' phones dial to change what they do, such as *22; digits may follow.
	Codes []string
	// Dial allows numbers outside to be called; none: nothing dials out.
	Dial []DialRule
	// Engine opens the streams of the legs. Required.
	Engine media.Engine
	// Audio says where Engine is bound, so that a leg's far end can be told the address that its listener is known by. Its
	// zero value: what the engine says by itself holds for all.
	Audio AudioOptions
	// Abuse bounds what strangers may have of us; its zero value means the defaults.
	Abuse AbuseOptions
	// Homes are those that OnHomes was given last, before a restart, for 30 days after each one's Last. What is no account's
	// any more is left out, and what is of another password than the account has now.
	Homes []Home
	// HomesKey is what passwords are marked under in Homes: random, secret, the same after a restart, and kept apart from
	// them. The zero value: one that is made up, so that the next start takes none of these homes.
	HomesKey [32]byte
	// OnHomes, if not nil, is given all homes when there is something new: within a minute, and when Run ends. An error, which is
	// its own to tell of, has it called again a minute later. It is called on one goroutine.
	OnHomes func(all []Home) error
	// MaxCalls bounds the calls that are in at once; more are refused, see overloads. 0 means no bound.
	MaxCalls int
	// Alarm says what of MaxCalls is held back for alarms; its zero value: nothing.
	Alarm AlarmOptions
	// Overload says from which load on new calls are refused; its zero value: never.
	Overload OverloadOptions
	// CPUTime, if not nil, tells how much CPU time this process has used, of Cores: how many of the machine's cores it may
	// use, above 0, a part of one included. It is asked on one goroutine, ten times a second. Without it
	// OverloadOptions.CPU has nothing to go by.
	CPUTime func() (time.Duration, error)
	Cores   float64
	// Ping is how often an agent's flow is tried with OPTIONS; 0 means the registrar's default.
	Ping time.Duration
	// ExpiresMin, ExpiresMax and ExpiresDefault bound how long a registration lasts (RFC 3261
	// section 10.3); 0 means the registrar's default.
	ExpiresMin, ExpiresMax, ExpiresDefault time.Duration
	// SessionExpires is the longest that a dialog goes on without a sign that its far end lives: the session
	// timer that we ask for, and half of it is the interval of our own refreshes (RFC 4028 section 4).
	// Default 30 min; in whole seconds.
	SessionExpires time.Duration
	// MinSE is the shortest session timer that a far end may ask for, in whole seconds (RFC 4028 section 5).
	// Default 90 s, below which nobody may demand more.
	MinSE time.Duration
	// T1 is the round-trip estimate behind the timers of our own: the resending of a 200 and the wait
	// for its ACK (RFC 3261 section 13.3.1.4). Default 500 ms; tests shorten it.
	T1 time.Duration
	// TryingAfter is how long the INVITE of a new call may go without another response before it is answered 100
	// (Trying). Most calls are rung or answered at once, and a 100 before that tells the caller nothing: RFC 3261
	// section 17.2.1 wants one where nothing else comes within 200 ms, which is the most. 0 sends it at once.
	TryingAfter time.Duration
	// OnIncoming is given each call that passed the door, on the goroutine of its INVITE, and returns
	// when the call is over. The context is cancelled when the UA closes. A leg that it leaves to nobody
	// (Leg.Attach) is hung up.
	OnIncoming func(ctx context.Context, in call.Incoming)
	// OnFlow, if not nil, is told when an agent's phone becomes reachable and when it no longer is, in
	// order, on one goroutine at a time; it must not block.
	OnFlow func(agent string, up bool)
	// Ready, if not nil, returns why new calls are not to be taken, or nil: while it does, they are refused and OPTIONS
	// answered as after Drain. It is asked for each of them, on any goroutine, and must not block.
	Ready func() error
	// Site, if not nil, makes this one of several nodes that are one hotline.
	Site *SiteOptions
	// Trace, if not nil, is given what the legs and rings of a call said by SIP, some seconds after each
	// ended, and at once when the UA closes or a leg moves to another call; a call is named several times.
	// It must not block, and may be called from any goroutine. The slice is Trace's from then on.
	Trace func(callID string, messages []call.SIPMessage)
	// OnPanic, if not nil, is told of each panic that was contained: where (the method, or a name of a
	// task) and the value.
	OnPanic func(where string, v any)
	// Logger may be nil: silence.
	Logger *zap.Logger
	// Registry may be nil: nothing is counted.
	Registry prometheus.Registerer

	limits limits        // zero: defaultLimits
	looks  time.Duration // from one look at the files of certificates to the next; zero: certificateLooks
}

// defaultT1 is RFC 3261's estimate of a round trip (section 17.1.1.1).
const defaultT1 = 500 * time.Millisecond

// What RFC 4028 wants of session timers (sections 4 and 5).
const (
	defaultSessionExpires = 30 * time.Minute
	defaultMinSE          = 90 * time.Second
)

func (o *Options) setDefaults() {
	if o.SessionExpires <= 0 {
		o.SessionExpires = defaultSessionExpires
	}
	if o.MinSE <= 0 {
		o.MinSE = defaultMinSE
	}
	o.SessionExpires = max(o.SessionExpires, o.MinSE)
	if o.T1 <= 0 {
		o.T1 = defaultT1
	}
	if o.limits == (limits{}) {
		o.limits = defaultLimits()
	}
	if o.looks <= 0 {
		o.looks = certificateLooks
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if len(o.Digest) == 0 {
		o.Digest = []string{"md5"}
	}
	if o.Realm == "" {
		o.Realm = "hotline"
	}
	if o.OnFlow == nil {
		o.OnFlow = func(string, bool) {}
	}
	if o.Ready == nil {
		o.Ready = func() error { return nil }
	}
	if o.OnPanic == nil {
		o.OnPanic = func(string, any) {}
	}
}
