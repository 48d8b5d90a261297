// Package web is what people and programs see of the hotline over HTTP: the API, the live page, health
// and metrics. Package cmd/hotline wires it to the store, the desk and the calls, by functions that
// return snapshots; what it changes are the list of planned outages, and agents' shifts, through [Shifts].
//
// The page and its events need no token and show no personal data: callers' numbers are masked, agents
// are shown by id (工号) alone. The API needs a bearer token (RFC 6750), and a role that may.
//
// Goroutines: handlers run on those of net/http and share only what a mutex or an atomic guards. The
// functions in Options are called from them, several at once. Events cost nothing while nobody
// watches: there is no goroutine of their own, the watchers share one snapshot a second.
package web

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"hotline/call"
)

// Records are read, never written. Package store.
type Records interface {
	// List returns a page, newest first, and the cursor of the next one; empty when there is none.
	// Errors: call.ErrBadCursor.
	List(ctx context.Context, q call.Query) (page []call.Record, next string, err error)
	// Get returns one record. Errors: call.ErrNotFound.
	Get(ctx context.Context, id string) (call.Record, error)
	// Summaries counts the calls that began at since or later, by first queue; within is the service level's time.
	Summaries(ctx context.Context, since time.Time, within time.Duration) (call.Summaries, error)
}

// Options wire the server. Records is needed; every function left nil shows nothing.
type Options struct {
	// Listener is where Run serves; Run closes it.
	Listener net.Listener
	// Location is the time zone of all times shown, and of "today"; nil means UTC.
	Location *time.Location
	Settings
	// AlarmPriority is the queue priority from which on a queue is shown as an alarm; 0 means 100.
	AlarmPriority int
	// MaxWatchers bounds the connections to /events; 0 means 64.
	MaxWatchers int
	// Records of calls.
	Records Records
	// Recording opens a recording by the name in its record, and says when it was written. Errors: one
	// that wraps fs.ErrNotExist.
	Recording func(name string) (io.ReadSeekCloser, time.Time, error)
	// Ladder is what a call said by SIP so far, in the order of the wire, numbers unmasked. Errors:
	// call.ErrNotFound when nothing of it is kept.
	Ladder func(ctx context.Context, id string) ([]call.SIPMessage, error)
	// Watch hands on what one peer says and is told by SIP until ctx is done; began is called once it does. It returns how
	// many messages were handed on. Errors: what is wrong with the peer, ErrWatched. nil: the path for that is not there.
	Watch func(ctx context.Context, peer string, full bool, began func(), show func(call.SIPMessage) error) (int, error)
	// Pcap writes what a live call says by SIP, and its RTP, as a capture file until ctx is done or the call is over; began is
	// called once it does. It returns what became of it. Errors: call.ErrNotFound, ErrWatched. nil: the path for that is not
	// there.
	Pcap func(ctx context.Context, id string, w io.Writer, began func()) (call.Capture, error)
	// Live are the calls in progress, Queues and Agents all there are. The slices are the server's. An error is a
	// fault of who was asked.
	Live   func() []call.Live
	Queues func() ([]call.QueueView, error)
	Agents func() ([]call.AgentView, error)
	// Trunks are how the trunks are; nil: none are told.
	Trunks func() []Trunk
	// Shifts change what agents do; nil: the paths for that are not there.
	Shifts func() Shifts
	// Supervision has supervisors hear talks; nil: the path for that is not there.
	Supervision func() Supervision
	// Picker has one agent rung for a caller who waits; nil: the path for that is not there.
	Picker func() Picker
	// Outages keeps planned outages; nil: there are none, and none can be put.
	Outages call.Outages
	// Reload reads the configuration anew; nil: it cannot be.
	Reload func() Reloaded
	// Callbacks are those open, the first due first; CancelCallback takes one back. Errors: call.ErrNoBooking.
	Callbacks      func() []call.Booking
	CancelCallback func(ctx context.Context, id string) error
	// Bans are the sources that SIP is banned from, the first to be free first; Unban lifts one, or tells that there is
	// none. nil: the paths for that are not there.
	Bans  func() []Ban
	Unban func(address netip.Addr) bool
	// Site is what a server of one node of several needs of the others; nil: the node is alone.
	Site *Site
	// Ready says why the hotline takes no calls; nil error when it does.
	Ready func() error
	// Panicked is told that a handler panicked (and was contained), to be counted.
	Panicked func()
	// Gatherer is shown at /metrics; nil shows none. Metrics takes the server's own; nil is silent.
	Gatherer prometheus.Gatherer
	Metrics  prometheus.Registerer
	// Logger; nil is silent.
	Logger *zap.Logger
	// Clock is the wall clock, for tests; nil means time.Now.
	Clock func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Location == nil {
		o.Location = time.UTC
	}
	if o.AlarmPriority == 0 {
		o.AlarmPriority = 100
	}
	if o.MaxWatchers <= 0 {
		o.MaxWatchers = 64
	}
	if o.Ladder == nil {
		o.Ladder = func(context.Context, string) ([]call.SIPMessage, error) { return nil, call.ErrNotFound }
	}
	if o.Live == nil {
		o.Live = func() []call.Live { return nil }
	}
	if o.Queues == nil {
		o.Queues = func() ([]call.QueueView, error) { return nil, nil }
	}
	if o.Agents == nil {
		o.Agents = func() ([]call.AgentView, error) { return nil, nil }
	}
	if o.Callbacks == nil {
		o.Callbacks = func() []call.Booking { return nil }
	}
	if o.CancelCallback == nil {
		o.CancelCallback = func(context.Context, string) error { return call.ErrNoBooking }
	}
	if o.Ready == nil {
		o.Ready = func() error { return nil }
	}
	if o.Panicked == nil {
		o.Panicked = func() {}
	}
	if o.Gatherer == nil {
		o.Gatherer = prometheus.NewRegistry()
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o
}

// Limits of one request. A recording and the events set their own.
const (
	headerTimeout  = 5 * time.Second
	requestTimeout = 30 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeader      = 16 << 10 // octets
	maxBody        = 64 << 10 // octets; no request has one that means anything
	closeWithin    = 5 * time.Second
)

// Server serves the hotline over HTTP. Make one with New.
type Server struct {
	o        Options
	inForce  atomic.Pointer[inForce]
	metrics  metrics
	handler  http.Handler
	watchers *places
	doubts   doubts
	proved   proved
	snapshot snapshot
	day      today
	alerts   alerts
	closing  chan struct{} // closed when Run ends: events end
	once     sync.Once
	timeout  time.Duration   // of one request; tests shorten it
	untold   chan call.Event // to the other nodes
	forged   atomic.Int64    // when it was told last that somebody signs as a node and is none; ns since 1970
}

// New returns a server that does not listen yet; Handler can be used at once.
func New(o Options) *Server {
	o = o.withDefaults()
	s := &Server{
		o:       o,
		metrics: newMetrics(),
		closing: make(chan struct{}),
		timeout: requestTimeout,
		untold:  make(chan call.Event, maxUntold),
	}
	s.watchers = newPlaces(o.MaxWatchers, o.MaxWatchers/watchersEach, s.near)
	s.doubts.wait, s.doubts.waiting = wrongWait, newPlaces(waitMost, waitEach, s.near)
	s.Apply(o.Settings)
	s.handler = s.routes()
	return s
}

// Handler is everything the server answers, for tests and for a server of somebody else.
func (s *Server) Handler() http.Handler { return s.handler }
