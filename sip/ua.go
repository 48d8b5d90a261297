package sip

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sync/errgroup"

	"hotline/call"
)

// UA is the user agent. Make it with New, run it with Run; every other method may be called from any
// goroutine.
type UA struct {
	o         Options
	log       *zap.Logger
	metrics   *metrics
	listeners []*listener
	conns     *conns
	outward   *outward
	aims      aims // of trunks

	certificates *certificates

	transport *sipmsg.TransportLayer
	txs       *sipmsg.TransactionLayer
	registrar *registrar
	plans     atomic.Pointer[plan] // see plan
	reloads   sync.Mutex           // held while settings are put in force
	legs      *legTable
	ladder    *ladder
	reacks    *reacks
	transfers transfers // of our own phones
	// door decides who may call and where the number leads. It is admit, but for a Phone.
	door func(x *exchange) (in call.Incoming, refused *sipmsg.Response)
	// known tells hosts whose business is with us from strangers. It is acquainted, but for a Phone.
	known  func(host netip.Addr) bool
	gate   *gate
	pace   *gate // of who is known
	sentry *sentry
	site   *site   // nil without Options.Site
	guards *guards // of INVITEs that may not leave any more after an instant
	quota  *quota  // of lines that strangers can cause
	tagKey [32]byte
	regs   registrations // of trunks
	hosts  *hostBook     // likewise
	back   waysBack

	unread  atomic.Int32  // UDP listeners that are not read yet
	reading chan struct{} // closed when there are none; what is sent before would leave by another socket
	// queued is how long, in ns, the datagram read last had waited in its socket. Where several sockets are read it may have been
	// in another: it is for the load alone.
	queued atomic.Int64

	ringEvery time.Duration // from one 180 to the next, before an answer

	calls    *capacity // INVITEs past the door whose call is not over
	load     *overload // what this process can take besides
	looks    *firstLooks
	turned   atomic.Int64 // when a call was last refused without being parsed, in Unix nanoseconds; 0: never
	draining atomic.Bool
	deaf     atomic.Bool // nothing read is handed on any more

	ctx       context.Context //nolint:containedctx // the UA's own life, from New to Close
	cancel    context.CancelCauseFunc
	tasks     tasks
	closeOnce sync.Once
	closed    chan struct{} // when Close has done all
	closeErr  error
	// patience is cancelled by hurry a while after Close began: what waits for a far end then gives up.
	patience context.Context //nolint:containedctx // as ctx
	hurry    context.CancelFunc

	agentCalls agentCalls // of calls, those that agents' phones make
}

// ErrClosed is what is returned when the user agent is closed, or closing.
var ErrClosed = errors.New("sip: user agent closed")

// tune sets the variables that sipgo keeps for the whole process, once.
var tune = sync.OnceFunc(func() {
	// sipgo refuses to send more than 200 octets below this.
	sipmsg.UDPMTUSize = maxUDPMessage + 200
	// What concerns a user agent goes to its own logger; the rest belongs to no one.
	sipmsg.SetDefaultLogger(slog.New(slog.DiscardHandler))
})

// New checks the options and binds every listener; nothing is read before Run. An address that cannot
// be had is named in the error, which wraps the system's (syscall.EADDRINUSE).
func New(o Options) (*UA, error) {
	tune()
	o.setDefaults()
	if o.Engine == nil {
		return nil, errors.New("sip: no media engine")
	}
	if err := o.checkLoad(); err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Registry)
	if err != nil {
		return nil, fmt.Errorf("register SIP metrics: %w", err)
	}
	u := &UA{
		o: o, log: o.Logger, metrics: m, legs: newLegTable(), reacks: newReacks(),
		closed: make(chan struct{}), reading: make(chan struct{}), quota: newQuota(), calls: newCapacity(&o), load: newOverload(o.Overload), looks: newFirstLooks(),
		ringEvery: ringEvery, gate: newGate(o.limits.with(o.Abuse)), pace: newGateOf(o.limits.known), guards: newGuards(),
		sentry: newSentry(o.limits, o.Abuse, m),
	}
	u.ladder = newLadder(o.Trace, u.legs.callIDs)
	u.outward = newOutward(u)
	u.door, u.known, u.hosts = u.admit, u.acquainted, newHostBook(u)
	if _, err := rand.Read(u.tagKey[:]); err != nil {
		return nil, fmt.Errorf("make a key for tags: %w", err)
	}
	ro := u.registrarOptions()
	if err := u.firstPlan(); err != nil {
		return nil, err
	}
	u.regs.running, u.regs.pinging = make(map[string]*registration), make(map[string]*pinger)
	if err := u.measure(); err != nil {
		return nil, err
	}
	if err := ro.check(); err != nil {
		return nil, fmt.Errorf("agents: %w", err)
	}
	if o.Site != nil {
		ro.site, ro.movesOn = true, func() bool { return u.draining.Load() && o.Site.MovesOn() }
	}
	u.openRegistrar(ro)
	u.legs.gone = u.legGone
	u.conns = &conns{
		l: o.limits.with(o.Abuse), open: make(map[flowKey]*trackedConn), hosts: make(map[netip.Addr]int),
		known: func(host netip.Addr) bool { return u.known(host) }, kept: u.keeps, takes: u.takesTLS, toTrunk: u.toTrunk,
		onClose: u.connClosed, dropped: m.drop, failed: u.socketFailed, ladder: u.ladder,
		refused: u.refuse, gate: newGate(o.limits.with(o.Abuse)), relayed: u.relayed, guards: u.guards,
		contain: u.contain, sentry: u.sentry,
	}
	u.sentry.known, u.sentry.banned, u.sentry.expects = u.conns.known, u.conns.endHost, u.expects
	u.sentry.limited = func(line string, fields ...zap.Field) { u.limited(zap.WarnLevel, line, fields...) }
	if u.certificates, err = newCertificates(o.Listen, m, u.log); err != nil {
		return nil, err
	}
	if u.listeners, err = bindAll(o.Listen, u.conns, u.certificates); err != nil {
		return nil, err
	}
	if o.Site != nil {
		if u.site, err = u.openSite(*o.Site); err != nil {
			return nil, errors.Join(err, closeAll(u.listeners))
		}
		u.listeners = append(u.listeners, u.site.door)
	}
	u.ladder.ends = &ownEnds{listeners: u.listeners}
	u.ctx, u.cancel = context.WithCancelCause(context.Background())
	u.patience, u.hurry = context.WithCancel(context.Background())
	u.expectReads()
	u.wire()
	return u, nil
}

// openRegistrar makes the registrar, and begins with the homes of before.
func (u *UA) openRegistrar(o registrarOptions) {
	u.registrar = newRegistrar(o)
	homes := u.sentry.guesses.homes
	homes.secrets = u.secretOfAccount
	if u.o.HomesKey != [homesKey]byte{} {
		homes.key = u.o.HomesKey
	}
	homes.restore(u.o.Homes, time.Now())
}

// registrarOptions are those of the options that are the registrar's, and what it asks of the rest.
func (u *UA) registrarOptions() registrarOptions {
	o := u.o
	return registrarOptions{
		realm: o.Realm, agents: o.Agents, digest: o.Digest, minExpires: o.ExpiresMin,
		defaultExpires: o.ExpiresDefault, maxExpires: o.ExpiresMax, pingEvery: o.Ping,
		ping: u.ping, busy: u.legs.occupied, count: u.metrics.register, onFlow: u.flowChanged, logger: o.Logger,
		sentry: u.sentry, flowTimer: o.limits.idle,
	}
}

// measure registers the figures that are read when somebody asks for them.
func (u *UA) measure() error {
	if err := u.metrics.loadOf(u.o.Registry, u.load); err != nil {
		return fmt.Errorf("register metrics of overload: %w", err)
	}
	if err := gauge(u.o.Registry, "banned", "Sources that are banned now.", func() float64 { return float64(len(u.Bans())) }); err != nil {
		return fmt.Errorf("register metrics of bans: %w", err)
	}
	if u.o.Registry == nil {
		return nil
	}
	if err := u.o.Registry.Register(newTrunkCollector(u.Trunks)); err != nil {
		return fmt.Errorf("register metrics of trunks: %w", err)
	}
	return nil
}

// expectReads counts the UDP sockets that are yet to be read from.
func (u *UA) expectReads() {
	for _, l := range u.listeners {
		if l.packet != nil {
			u.unread.Add(1)
		}
	}
	if u.unread.Load() == 0 {
		close(u.reading)
	}
}

// wire joins sipgo's layers to ours. arrived must come before the transaction layer: it sees each
// message on the read loop's goroutine, before any other goroutine has it.
func (u *UA) wire() {
	log := newSIPLogger(u.log)
	u.transport = sipmsg.NewTransportLayer(net.DefaultResolver, newParser(), nil,
		sipmsg.WithTransportLayerLogger(log), sipmsg.WithTransportLayerReadFilter(u.unlessDeaf), opensNothing())
	u.transport.OnMessage(u.arrived)
	u.txs = sipmsg.NewTransactionLayer(u.transport, sipmsg.WithTransactionLayerLogger(log),
		sipmsg.WithTransactionLayerUnhandledResponseHandler(func(*sipmsg.Response) { u.metrics.drop(dropStray) }))
	u.txs.OnRequest(u.serve)
}

// unlessDeaf hands on what was read, until Close wants no more. An error would end sipgo's read loop.
func (u *UA) unlessDeaf(_ sipmsg.TransportReadProps, data []byte) ([]byte, error) {
	if u.deaf.Load() {
		return nil, nil
	}
	return data, nil
}

// Addrs lists what is listened on, in the order of Options.Listen, with the ports that were taken
// where 0 was asked for.
func (u *UA) Addrs() []netip.AddrPort {
	out := make([]netip.AddrPort, len(u.o.Listen))
	for i := range out {
		out[i] = u.listeners[i].bound
	}
	return out
}

// Run serves until ctx is done or a listener fails, then closes the UA. It returns nil after ctx or
// Close ended it. It is called once.
func (u *UA) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(u.ctx, stop)() //nolint:contextcheck // Close ends Run too
	g, ctx := errgroup.WithContext(ctx)
	for _, l := range u.listeners {
		g.Go(func() error { return u.listen(l) })
	}
	for carrier := range u.outward.to {
		g.Go(func() error { return u.outward.serve(carrier) })
	}
	u.beginRegistrations() //nolint:contextcheck // they end with the UA, after ctx
	g.Go(func() error { return u.registrar.run(ctx) })
	g.Go(func() error { return u.ladder.run(ctx) })
	g.Go(func() error { return u.certificates.run(ctx, u.o.looks) })
	g.Go(func() error { return u.watchTrunkFiles(ctx, u.o.looks) })
	g.Go(func() error { return u.watchLoad(ctx) })
	g.Go(func() error { u.tellHomes(ctx); return nil })
	g.Go(func() error {
		<-ctx.Done()
		return u.Close()
	})
	return g.Wait()
}

// serveStream has sipgo read the connections of a listener: those of TLS apart, which it would not be allowed to answer
// over others.
func (u *UA) serveStream(l *listener) error {
	if carrierOf(l.transport) == transportTLS {
		return u.transport.ServeTLS(l.stream)
	}
	return u.transport.ServeTCP(l.stream)
}

// listen reads one socket until it is closed.
func (u *UA) listen(l *listener) error {
	var err error
	if l.packet != nil {
		err = u.listenUDP(l)
	} else {
		err = u.serveStream(l)
	}
	if err == nil {
		err = net.ErrClosed // sipgo logs why it stopped reading UDP, and does not return it
	}
	select {
	case <-u.ctx.Done(): // Close closed it
		return nil
	default:
		return fmt.Errorf("listener %s %s stopped: %w", l.transport, l.bound, err)
	}
}

// hurryAfter is how long after Close began the far ends are still waited for, in T1: a BYE is sent
// three times by then.
const hurryAfter = 8

// settle is how long messages already handed to sipgo's goroutines, which nobody can wait for, may take to
// reach serve before the sockets go: sipgo would open a new socket for the answer of a later one.
const settle = 20 * time.Millisecond

// Close hangs up what is up, of other nodes' calls what passes through here, waits for the calls' owners (OnIncoming) and for all that was started,
// and closes the sockets. Far ends that do not answer, or do not acknowledge a 200, are waited for during
// hurryAfter·T1; the BYE is then sent all the same. It is idempotent; each caller waits.
func (u *UA) Close() error {
	u.closeOnce.Do(func() {
		defer close(u.closed)
		u.draining.Store(true)
		u.cancel(ErrClosed)
		t := time.AfterFunc(hurryAfter*u.o.T1, u.hurry) // first: a leg's lock may be held by who waits for a far end
		u.legs.hangupAll()
		if u.site != nil {
			u.site.relays.endAll(hurryAfter * u.o.T1)
		}
		u.tasks.wait()
		t.Stop()
		u.hurry()
		u.deaf.Store(true)
		if u.site != nil {
			u.site.relays.close()
		}
		<-time.After(settle)
		u.txs.Close()
		u.closeErr = closeAll(u.listeners)
		u.outward.close()
		u.conns.closeAll()
		u.closeTransports()
		<-time.After(settle) // who was handed a message, and found its socket closed, has opened another to answer by
		u.closeTransports()
		u.ladder.close()
	})
	<-u.closed
	return u.closeErr
}

func (u *UA) closeTransports() {
	if err := u.transport.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		u.closeErr = errors.Join(u.closeErr, fmt.Errorf("close SIP transports: %w", err))
	}
}

// background runs f on a goroutine of its own that Close waits for, its panics contained. It reports
// false, and runs nothing, once Close has waited.
func (u *UA) background(where string, f func()) bool {
	if !u.tasks.enter() {
		return false
	}
	go func() {
		defer u.tasks.leave()
		defer u.contain(where, nil)
		f()
	}()
	return true
}

// contain is deferred around whatever handles one call or message. A panic ends that and nothing else:
// it is counted by OnPanic, logged as often as the quota allows, and then told to after, which may be nil.
func (u *UA) contain(where string, after func()) {
	v := recover()
	if v == nil {
		return
	}
	u.o.OnPanic(where, v)
	u.limited(zap.ErrorLevel, "panic contained", zap.String("where", where), zap.Any("panic", v), zap.Stack("stack"))
	if after != nil {
		after()
	}
}

// limited logs a line that a stranger can cause, as often as the quota allows.
func (u *UA) limited(level zapcore.Level, line string, fields ...zap.Field) {
	if n, ok := u.quota.take(line); ok {
		u.log.Log(level, line, append(fields, unlogged(n))...)
	}
}

// socketFailed is told of each error of a listener that is not its end.
func (u *UA) socketFailed(why string, err error) {
	u.metrics.drop(why)
	u.limited(zap.WarnLevel, "socket fails, tried again", zap.String("why", why), zap.Error(err))
}
