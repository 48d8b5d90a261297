package site

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// Member is a node's membership of its site. It is what the node's desk rings phones by (acd.Phones) and tells the
// other nodes by (acd.Site). Its methods may be called from any goroutine, before and after Run too.
type Member struct {
	o       Options
	process string
	figures *figures

	tell turn // the desk is told in order; before mu

	mu       sync.Mutex
	run      int       // how many runs were tried
	node     Node      // this run; PROCESS.0 before the first
	lease    Lease     // the process's last one
	leaseEnd time.Time // by this node's clock, reckoned from when the renewal was sent
	// lastEnd is that, also when the run was found dead; lapsed is until when the node last had no lease, by its own clock: it slept,
	// or was cut off.
	lastEnd, lapsed time.Time
	dead            bool // it is to be entered: never was, or was found dead
	// buriedAlive: a run's lease was over while the process lives, and the phones here are to be asked about anew.
	buriedAlive bool
	left        bool
	clock       clock
	// heard is when the book last answered, silent since when it has not though it was asked; zero: it answers.
	heard, silent time.Time
	settled       time.Time // until when claims wait after the book was begun anew
	joined        time.Time // when the whole was read for the first time
	spared        time.Time // until when nobody is dead by the book, see others.go
	cut, whole    bool
	state         call.SiteState
	since         time.Time
	generation    uint64             // rises when the whole is to be read anew
	reread        context.CancelFunc // ends the reading that goes on
	view          view
	changed       chan struct{} // closed at each change of the view or the state
	own           own
	holds         map[holdKey]*hold
	highest       call.Token // that was seen anywhere
	handed        call.Token // the highest that a gate handed out here while the node was cut
	out           outbox
	arrivals      arrivals
	troubles      troubles
	questioned    map[string]bool                     // owners' processes, one request each
	judged        map[string]*judgement               // orphans at work, by key
	forsaken      map[string]map[call.Token]*forsaken // claims that were abandoned, by agent and token
	partings      map[string]*parting                 // by dialog
	doubts        uint64
	abandoned     uint64
	cutFor        time.Duration // in states that are over

	// face is what may be asked without a lock, by those whom the edge's own locks hold up.
	face atomic.Pointer[face]

	wakeRenew, wakeOut, wakeAsk, wakeCheck chan struct{}
	wakeJobs                               chan struct{}
	jobs                                   []job // to be started by Run
	running                                bool
	work                                   sync.WaitGroup
}

// turn is a lock that is held while the desk takes in what it is told. Unlike a mutex it is a channel, so that waiting for a
// desk counts as waiting where tests make their own time.
type turn chan struct{}

func (t turn) Lock()   { t <- struct{}{} }
func (t turn) Unlock() { <-t }

// job is what a goroutine of its own is to do. Whoever wants one holds mu, so Run starts it.
type job struct {
	where string
	do    func(context.Context)
}

// own is what this node says, the newest of each. The bool tells of a caller who is gone: it stays until the book knows.
type own struct {
	flows   map[string]call.SiteFlow
	callers map[string]call.SiteFact
}

var errStopped = errors.New("the node's membership is stopped")

// New makes a node's membership. Errors: an option is out of its range, or the registry refuses.
func New(o Options) (*Member, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		return nil, fmt.Errorf("make up the node's id: %w", err)
	}
	now := time.Now()
	m := &Member{
		o: o, tell: make(turn, 1), process: hex.EncodeToString(random), dead: true, state: call.SiteJoining, since: now, heard: now, silent: now,
		view: newView(), changed: make(chan struct{}), holds: map[holdKey]*hold{}, judged: map[string]*judgement{}, questioned: map[string]bool{},
		forsaken: map[string]map[call.Token]*forsaken{}, partings: map[string]*parting{},
		own:       own{flows: map[string]call.SiteFlow{}, callers: map[string]call.SiteFact{}},
		arrivals:  newArrivals(),
		troubles:  newTroubles(),
		wakeRenew: make(chan struct{}, 1), wakeOut: make(chan struct{}, 1),
		wakeAsk: make(chan struct{}, 1), wakeCheck: make(chan struct{}, 1), wakeJobs: make(chan struct{}, 1),
	}
	m.out = newOutbox()
	m.node = Node{ID: call.NodeID(m.process + ".0"), Name: o.Name, SIP: o.SIP, HTTP: o.HTTP, Lease: o.Lease}
	m.publish()
	var err error
	if m.figures, err = newFigures(m, o.Registry); err != nil {
		return nil, err
	}
	return m, nil
}

// Run is a member of the site until ctx is done. It waits for all it has started; the book keeps the node until its
// lease is over, unless it has left ([Member.Leave]). It may be called once.
func (m *Member) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	m.mu.Lock()
	if m.running || m.left {
		m.mu.Unlock()
		return errors.New("the membership was already started, or has ended")
	}
	now := time.Now()
	m.running, m.heard, m.silent, m.since = true, now, now, now
	m.mu.Unlock()
	loops := map[string]func(context.Context){
		"renew": m.renews, "watch": m.watches, "follow": m.follows, "say": m.says, "ask": m.asks, "check": m.checks,
	}
	for where, loop := range loops {
		m.work.Go(func() { m.guarded(ctx, where, loop) })
	}
	m.starts(ctx)
	m.mu.Lock()
	m.left, m.running = true, false
	for _, h := range m.holds {
		h.unwatch()
	}
	m.mu.Unlock()
	m.work.Wait()
	return nil
}

// guarded runs a loop until ctx is done, and again after a panic.
func (m *Member) guarded(ctx context.Context, where string, loop func(context.Context)) {
	for ctx.Err() == nil {
		m.once(ctx, where, loop)
		if ctx.Err() == nil {
			pause(ctx, 100*time.Millisecond)
		}
	}
}

func (m *Member) once(ctx context.Context, where string, f func(context.Context)) {
	if m.o.OnPanic != nil {
		defer func() {
			if v := recover(); v != nil {
				m.o.Logger.Error("panic in the site's membership", zap.String("where", where), zap.Any("panic", v), zap.Stack("stack"))
				m.o.OnPanic("site: "+where, v)
			}
		}()
	}
	f(ctx)
}

// under runs f under mu, which is free afterwards also where f panics. Whatever does more than to read or set fields runs so,
// or by a deferred unlock: a panic is told and the node goes on, which it could not with the lock held for ever.
func (m *Member) under(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// telling runs f while nobody else tells the desk anything; as under.
func (m *Member) telling(f func()) {
	m.tell.Lock()
	defer m.tell.Unlock()
	f()
}

// start has f run on a goroutine of its own that Run waits for; false: nothing is started any more. It needs mu.
func (m *Member) start(where string, f func(context.Context)) bool {
	if m.left {
		return false
	}
	m.jobs = append(m.jobs, job{where: where, do: f})
	wake(m.wakeJobs)
	return true
}

// starts starts what is to be started, until ctx is done.
func (m *Member) starts(ctx context.Context) {
	for wait(ctx, m.wakeJobs, time.Minute) {
		m.mu.Lock()
		jobs := m.jobs
		m.jobs = nil
		m.mu.Unlock()
		for _, j := range jobs {
			m.work.Go(func() { m.once(ctx, j.where, j.do) })
		}
	}
}

// moved tells whoever waits that the view or the state has changed. It needs mu.
func (m *Member) moved() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// self reports whether a node is a run of this process.
func (m *Member) self(id call.NodeID) bool { return id.Process() == m.process }

// pause waits, and reports whether ctx is still good.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// wake has a loop go on at once.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// wait waits for a wake, or for d.
func wait(ctx context.Context, c chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-c:
	case <-t.C:
	}
	return true
}

// Leave says goodbye: once the calls are over, since claims and callers of a node that left are those of a dead one. What
// was said before is written first. Afterwards the node is a member no more; Run goes on until its ctx is done. Errors:
// ctx was done before the book had it; then the lease's end says it. Of a ctx with a deadline the last second, or half of what
// there is, is kept for the goodbye: what cannot be written does not stand in its way.
func (m *Member) Leave(ctx context.Context) error {
	writing := ctx
	if by, ends := ctx.Deadline(); ends {
		limited, stop := context.WithDeadline(ctx, by.Add(-min(goodbye, time.Until(by)/2)))
		defer stop()
		writing = limited
	}
	for {
		m.mu.Lock()
		id, dead, idle, changed := m.node.ID, m.dead, m.out.idle(), m.changed
		running := m.running
		m.mu.Unlock()
		switch {
		case dead: // nothing to leave
			m.mu.Lock()
			m.left = true
			m.mu.Unlock()
			return nil
		case !idle && running:
			t := time.NewTimer(20 * time.Millisecond)
			select {
			case <-writing.Done():
			case <-changed:
			case <-t.C:
			}
			t.Stop()
			if writing.Err() == nil {
				continue
			}
		}
		m.mu.Lock()
		m.left = true
		m.mu.Unlock()
		if err := m.o.Book.Leave(ctx, id); err != nil && !errors.Is(err, ErrDead) {
			return fmt.Errorf("leave the site as %s: %w", id, err)
		}
		m.o.Logger.Info("left the site", zap.String("node", string(id)))
		return nil
	}
}
