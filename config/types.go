package config

import (
	"net/netip"
	"time"
)

// Config is one checked snapshot of all settings. It is immutable.
type Config struct {
	// Warnings are what checkers found amiss that keeps nothing from being served.
	Warnings Problems

	Service Service
	SIP     SIP
	Media   Media
	HTTP    HTTP
	// Data is the folder of call records, recordings and state; relative to the working directory.
	Data string
	// Records is the URL of the PostgreSQL database that call records are kept in; empty: a SQLite file in Data. Key
	// `records`. It may have a password.
	Records Secret
	// State is the URL of the Redis by which several nodes are one hotline; empty: the node is alone. Key `state`. It may
	// have a password.
	State Secret
	// Node is this one of them; key `node`.
	Node Node
	// Drain is how long live calls may go on after SIGTERM; key `drain`, default 5m.
	Drain  time.Duration
	Dial   []Dial
	Trunks []Trunk // in the order of the file
	Agents []Agent // in the order of the file
	// Menus by name. When the file leaves `menus` out but writes `queues`, and no number leads to a
	// menu, there are none.
	Menus  map[string]Menu
	Queues map[string]Queue
	// Ageing is the waiting that weighs as much as one point of a queue's priority; key `ageing`, 0s (none) to
	// 1h, default 6s.
	Ageing   time.Duration
	Targets  Targets
	Alarm    Alarm
	Callback Callback
	Recorder Recorder
	Prompts  Prompts
	Codes    Codes

	// Calendars by name; key `calendar`, default none.
	Calendars map[string]Calendar
	Webhooks  []Webhook // in the order of the file
	// Observe is who else sees what is said by SIP; key `observe`.
	Observe Observe
}

// Service is what the hotline is.
type Service struct {
	Name     string
	Timezone *time.Location
	// Language of the prompts, a tag of RFC 5646; key `service.language`, default zh.
	Language string
}

// SIP is the user agent.
type SIP struct {
	Listen []Listener
	// Realm that agents register to (RFC 3261 section 22.1).
	Realm string
	// Digest algorithms offered to agents, in order (RFC 8760).
	Digest []Digest
	// MaxCalls is how many calls may be in at once; key `sip.max_calls`, from 1 to the pairs of
	// media.ports divided by two, which is also the default, where that leaves one for each agent.
	MaxCalls int
	// Overload is from which load on new calls are refused; key `sip.overload`.
	Overload Overload
	// Ping is the interval of OPTIONS to each agent's phone; key `sip.ping`, 1s to 10m, default 10s.
	Ping time.Duration
	// T1 is the estimate of a round trip, which all retransmissions and time-outs follow (RFC 3261 section
	// 17.1.1.1); key `sip.t1`, 10ms to 2s, default 500ms. Less is for networks known to be fast.
	T1 time.Duration
	// TryingAfter is how long a new call may go without another response before it is answered 100 (Trying); key
	// `sip.trying_after`, 0s (at once) to 200ms (RFC 3261 section 17.2.1), default 50ms.
	TryingAfter time.Duration
	// Expires bounds registrations; key `sip.expires`.
	Expires Expires
	// TraceKeep is how long each call's SIP messages are kept; key `sip.trace_keep`, 0s (not at all) to 366d,
	// default 7d.
	TraceKeep time.Duration
	// SessionExpires is the session timer of calls (RFC 4028), of which a half is how often a quiet call's far
	// end is asked whether it lives; key `sip.session_expires`, whole seconds from 90s to 24h, default 30m.
	SessionExpires time.Duration
	// MinSE is the shortest session timer that others may ask for; key `sip.min_se`, whole seconds from 90s
	// (RFC 4028 section 5) to 1h and at most SessionExpires, default 90s; shorter wishes are answered 422.
	MinSE time.Duration
	// Abuse bounds what strangers may have; key `sip.abuse`.
	Abuse Abuse
}

// Overload is from which load on new calls are refused, by class: those first that cannot lead to an alarm. A limit of 0
// is not looked at.
type Overload struct {
	// Lag is how long most requests may wait for their handlers; key `lag`, 0s to 5s, default 50ms.
	Lag time.Duration
	// CPU is how much of the cores it may use the process may use, in percent; key `cpu`, 0 to 100, default 85.
	CPU int
	// Rate is how many new calls a second may be let in; key `rate`, 0 to 10000, default 0.
	Rate int
}

// Listener is one address that SIP is received on.
type Listener struct {
	// Network is "udp", "tcp", "tls", "ws" or "wss".
	Network string
	// Address to bind. Port 0 takes a free one, and is accepted on loopback only.
	Address netip.AddrPort
	// Advertise is what peers are told instead, for a listener behind NAT; the zero value means
	// Address. It is never zero when Address is unspecified. Its port is Address's unless it was given.
	Advertise netip.AddrPort
	// AdvertiseName, for TLS and WSS, is the host name that peers are told, which the certificate is of; Advertise is zero
	// then. AdvertisePort is the port with it, Address's unless it was given.
	AdvertiseName string
	AdvertisePort uint16
	// Certificate and Key are files (PEM), keys `certificate` and `key`: what a listener of TLS or WSS shows, with its
	// chain, and the key to it. Empty for other transports.
	Certificate, Key string
	// Path, default "/ws", and Origins, in lower case and at least one, are keys `path` and `origins`: what a WebSocket asks
	// for, and the sites whose pages may make one. Empty for other transports.
	Path    string
	Origins []string
}

// Secured tells whether what goes by the listener is encrypted.
func (l Listener) Secured() bool { return l.Network == tls || l.Network == wss }

// Connected tells whether peers connect to the listener, as to all but those of UDP.
func (l Listener) Connected() bool { return l.Network != udp }

// Socket is the kind of socket that the listener binds: "udp" or "tcp".
func (l Listener) Socket() string {
	if l.Network == udp {
		return udp
	}
	return tcp
}

// Expires bounds how long a registration lasts, in whole seconds (RFC 3261 section 10.3).
type Expires struct {
	Min     time.Duration // key `min`, 1s to 1h, default 60s; shorter wishes are answered 423
	Max     time.Duration // key `max`, at most 24h, default 3600s; longer wishes are cut to it
	Default time.Duration // key `default`, default 300s; given to a phone that wishes nothing
}

// Digest is an algorithm of digest authentication, by its name in the file.
type Digest string

// The algorithms (RFC 8760 section 2.1).
const (
	MD5       Digest = "md5"
	SHA256    Digest = "sha-256"
	SHA512256 Digest = "sha-512-256"
)

// Media is where RTP goes.
type Media struct {
	// Address that RTP is bound to.
	Address netip.Addr
	// Advertise is the address written into SDP; key `media.advertise`, default Address. Never
	// unspecified.
	Advertise netip.Addr
	Ports     PortRange
	// Codecs in order of preference; never empty.
	Codecs []Codec
	// Rest is how long a port stays unused after a call; key `media.rest`, 0s (not at all) to 5m, default 5s.
	Rest time.Duration
	// Timeout is how long nothing may be heard on a leg that is not held before its phone is asked whether it is
	// there; key `media.timeout`, 1s to 10m or 0s (never), default 20s. It is looked at once a second.
	Timeout time.Duration
	// Inband says whose audio is listened to for keys; key `media.inband`, default auto.
	Inband Inband
	// Engine carries the audio; key `media.engine`, default EngineAuto.
	Engine MediaEngine
}

// Inband is when keys are looked for in audio, by its name in the file.
type Inband string

// The ways of looking for them.
const (
	// InbandAuto listens to whoever did not agree to telephone-events (RFC 4733).
	InbandAuto Inband = "auto"
	InbandOff  Inband = "off"
)

// MediaEngine is how audio is carried.
type MediaEngine string

// The media engines.
const (
	EngineAuto     MediaEngine = "auto"     // the best that the system has: epoll on Linux, else portable
	EngineEpoll    MediaEngine = "epoll"    // Linux only; elsewhere the start fails
	EnginePortable MediaEngine = "portable" // every system's, at about one and a half times the price
)

// PortRange is a range of UDP ports, both ends included. Low is even.
type PortRange struct{ Low, High uint16 }

// Pairs is how many pairs of RTP and RTCP ports the range has (RFC 3550 section 11).
func (p PortRange) Pairs() int { return (int(p.High) - int(p.Low) + 1) / 2 }

// Codec is an RTP payload encoding, by its name in the file.
type Codec string

// The codecs (RFC 3551 section 4.5.14).
const (
	PCMA Codec = "pcma"
	PCMU Codec = "pcmu"
)

// HTTP is the API and the pages.
type HTTP struct {
	Listen netip.AddrPort // port 0 on loopback only
	Tokens []Token
}

// Token lets who bears it use the API (RFC 6750).
type Token struct {
	Name  string
	Role  Role
	Token Secret // never empty
	// Agent is the id of whom a token of AgentRole may pause, log in and so on; key `agent`, default nobody.
	Agent string
	// Generated: the file named none, or one that is not set, so this one was made at random and is
	// to be printed.
	Generated bool
}

// Role is what a token lets its bearer do.
type Role string

// The roles.
const (
	Supervisor Role = "supervisor"
	AgentRole  Role = "agent"
	Auditor    Role = "auditor"
	MetricsTap Role = "metrics" // opens nothing that is not open: for a scraper that must send a token
)

// Dial is one kind of number that the hotline may call. None: it never calls out.
type Dial struct {
	Prefix  string // of the number: a + or none, then digits; of numbers that begin with 00 only if it begins so too
	Through string // the trunk's name; of several, the first
	// Ways are the trunks, where key through has more than one name: those of a group share the calls, and the next group
	// has what they do not take. Else nil.
	Ways      [][]DialWay
	PerMinute int   // calls begun, 1 to 6000, default 10
	AtOnce    int   // calls in progress, 1 to 1000, default 4
	Hours     Hours // when, in the service's time zone; default always
	// Digits is how many digits a number has, + not counted; key `digits`, NUMBER or FROM-TO within 1 to 32, default 1 to 15,
	// which is what numbers of E.164 have, to 17 where Prefix begins with 00, and to 11 where with 1.
	Digits NumberDigits
	// Longest is how long a call may last; key `longest`, 1m to 24h, or 0s (the default: no bound).
	Longest time.Duration
}

// DialWay is one of several trunks that share calls.
type DialWay struct {
	Trunk  string
	Weight int // 1 to 100: its part of the group's calls
}

// Hours are a part of the day, counted from midnight; To may be before From, and spans midnight then. The
// zero value is always.
type Hours struct{ From, To time.Duration }

// Destination is where a number, a key or a menu's end leads: exactly one field is set, but for Agent. A number of a
// trunk leads to a menu or a queue.
type Destination struct {
	Menu, Queue string
	Agent       string // with a queue: who is rung first, once
	Dial        string // a number outside, one that dial allows
	Hangup      bool
}

// Agent is a person with a softphone that registers as ID (工号).
type Agent struct {
	ID       string
	Name     string // default: the ID
	Password Secret // empty exactly where there is HA1
	// HA1 stands in for the password (RFC 7616 section 3.4.2): one for each algorithm that the agent is offered, in
	// lower-case hexadecimal of the algorithm's length.
	HA1 map[Digest]Secret
	// Skills by queue, each with a level from 1 to 9 (the best).
	Skills map[string]int
	// Weight is the share of calls where the strategy is weighted, 1 to 100, default 1.
	Weight int
	// Role is Supervisor for who hears talks and gets no calls of queues; key `role`, default agent.
	Role Role
	// Digest is this agent's own list, in order; empty means that of SIP, or, where there is HA1, the algorithms
	// of that.
	Digest []Digest
	// SRTP is whether audio with the phone is encrypted; key `srtp`, default off.
	SRTP SRTP
}

// SRTP is whether audio is encrypted, with keys that the signalling carries (RFC 3711, RFC 4568).
type SRTP string

// The ways.
const (
	SRTPOff      SRTP = "off"
	SRTPOptional SRTP = "optional" // with whoever can
	SRTPRequired SRTP = "required" // no call without
)

// Queue is a line of callers. An agent serves it by having the skill of its name.
type Queue struct {
	Priority int // 0 to 1000, higher goes first; default 10
	Strategy Strategy
	// Progress is how soon each further phone joins in with RingProgressively; key `progress`, 1s to 1m, default 10s.
	Progress time.Duration
	// Level is the least level of the skill that an agent needs at first, 1 to 9, default 1; Widen are the steps
	// at which less will do, in order.
	Level int
	Widen []Widening
	// WaitPrompt is heard until an agent answers; default please-wait.
	WaitPrompt string
	// WrapUp is how long an agent is left alone after a talk; key `wrap_up`, 0s to 1h, default 5s.
	WrapUp time.Duration
	Shifts
	// The delays pass an agent over, for 1s to 1h after an offer that ended so.
	AfterReject   time.Duration // declined by the person; key `after_reject`, default 10s
	AfterBusy     time.Duration // the phone was busy; key `after_busy`, default 10s
	AfterNoAnswer time.Duration // rang to its limit; key `after_no_answer`, default 10s
	Unreachable   time.Duration // no sign of the phone; key `unreachable`, default 5s
	// Whisper: agents hear the queue and the wait before they are joined; key `whisper`, default true.
	Whisper bool

	QueueLimits
	QueueWaiting
	QueueSurvey
}

// Targets are the promises that are watched.
type Targets struct {
	AnswerRings int // 1 to 20
	Ring        Ring
	Talk        time.Duration // 1s to 24h
	// TalkWarn is the talk after which the agent hears a soft tone; key `talk_warn`, less than Talk, default five
	// sixths of it; 0s: none.
	TalkWarn time.Duration
	// Hold is how long one hold may last before it is told; key `hold`, up to 1h, default 30s; 0s: never.
	Hold         time.Duration
	ServiceLevel ServiceLevel
}

// Ring is the cadence of one ring.
type Ring struct {
	On  time.Duration // 100ms to 10s
	Off time.Duration // 0s to 20s
}

// ServiceLevel is the share of calls to be answered within a time.
type ServiceLevel struct {
	Percent int           // 1 to 100
	Within  time.Duration // 1s to 1h
}

// Recorder is the recording of calls.
type Recorder struct {
	Enabled bool
	Keep    time.Duration // 1h to 36500d
}

// Prompts are the operator's own recordings.
type Prompts struct {
	// Folder has <language>/<name>.wav, each in place of the prompt built in; empty: none. Relative
	// to the working directory. Key `prompts.folder`.
	Folder string
}

// GeneratedTokens are the tokens that were made at random because none was set.
func (c *Config) GeneratedTokens() []Token {
	var made []Token
	for _, t := range c.HTTP.Tokens {
		if t.Generated {
			made = append(made, t)
		}
	}
	return made
}
