package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// remembered is how many events are known by their ids, so that one told twice is sent once.
const remembered = 1024

// ErrRunning says that Run was called twice.
var ErrRunning = errors.New("notify: was already started")

// Hub takes every event, counts it, and has each hook told that wants it.
type Hub struct {
	o       Options
	metrics *metrics
	hooks   []*hook
	started atomic.Bool

	mu   sync.Mutex // guards what follows
	seen map[string]bool
	ids  []string // of seen, in a ring of remembered
	next int
}

// New opens the spools and takes up again what was not taken before a restart. Errors: what is wrong with the
// options, all at once; the system's of a folder or a spool; the registry's.
func New(o Options) (*Hub, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	m, err := newMetrics(&o)
	if err != nil {
		return nil, fmt.Errorf("notify: register metrics: %w", err)
	}
	h := &Hub{o: o, metrics: m, seen: make(map[string]bool, remembered)}
	if err := prepare(&o); err != nil {
		return nil, fmt.Errorf("notify: folder of spools: %w", err)
	}
	for _, hook := range o.Hooks {
		opened, err := h.open(hook)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("notify: webhook %s: %w", hook.Name, err), h.close())
		}
		h.hooks = append(h.hooks, opened)
	}
	return h, nil
}

// Tell counts an event and has it sent. It may be called from any goroutine, before Run too, and does not wait.
func (h *Hub) Tell(e call.Event) {
	id := e.ID()
	if !h.fresh(id) {
		return
	}
	h.metrics.told(e)
	for _, k := range h.hooks {
		if len(k.Events) == 0 || slices.Contains(k.Events, e.Kind) {
			k.put(id, e)
		}
	}
}

// Queues says that there are these queues too, from now on: those that are gone may still have callers.
func (h *Hub) Queues(names []string) { h.metrics.begin(names) }

// fresh reports whether an event was not told before, and remembers it.
func (h *Hub) fresh(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seen[id] {
		return false
	}
	if len(h.ids) < remembered {
		h.ids = append(h.ids, id)
	} else {
		delete(h.seen, h.ids[h.next])
		h.ids[h.next] = id
		h.next = (h.next + 1) % remembered
	}
	h.seen[id] = true
	return true
}

// Run sends until ctx ends; then it stops at once, writes down what was not taken yet, and returns. It may be
// called once; again, it returns [ErrRunning]. What is told after it is lost.
func (h *Hub) Run(ctx context.Context) error {
	if !h.started.CompareAndSwap(false, true) {
		return ErrRunning
	}
	var lanes, keepers sync.WaitGroup
	quit := make(chan struct{})
	for _, k := range h.hooks {
		for _, l := range []*lane{&k.alarms, &k.others} {
			lanes.Go(func() { l.run(ctx) })
		}
		keepers.Go(func() { k.spool.run(quit) })
	}
	<-ctx.Done()
	lanes.Wait()
	close(quit) // the lanes have said their last
	keepers.Wait()
	return h.close()
}

// Close ends a hub that was never run; one that was, Run has closed.
func (h *Hub) Close() error {
	if !h.started.CompareAndSwap(false, true) {
		return nil
	}
	return h.close()
}

func (h *Hub) close() error {
	var errs []error
	for _, k := range h.hooks {
		errs = append(errs, k.spool.close())
	}
	return errors.Join(errs...)
}

// hook is one of Options.Hooks with what waits for it. Alarms go by a lane of their own, so that nothing is before
// them: not even a request that hangs.
type hook struct {
	Hook
	hub            *Hub
	log            *zap.Logger
	spool          *spool
	alarms, others lane
}

// open makes a hook and takes up what its spool has.
func (h *Hub) open(o Hook) (*hook, error) {
	k := &hook{Hook: o, hub: h, log: h.o.Logger.With(zap.String("webhook", o.Name))}
	k.alarms = lane{hook: k, wake: make(chan struct{}, 1), slowest: alarmSlowest}
	k.others = lane{hook: k, wake: make(chan struct{}, 1), slowest: slowest}
	h.metrics.watch(k)
	left, s, err := openSpool(spoolPath(h.o.Dir, o.Name), k.log)
	if err != nil {
		return nil, err
	}
	k.spool = s
	h.metrics.hooks.WithLabelValues(o.Name, outcomeDamaged).Add(float64(s.damaged))
	for _, it := range left {
		k.lane(it.Kind).add(it)
	}
	if len(left) > 0 {
		k.log.Info("events left from before are sent now", zap.Int("events", len(left)))
	}
	return k, nil
}

func (k *hook) lane(kind call.EventKind) *lane {
	if kind == call.EventAlarm || kind == call.EventAlarmStep {
		return &k.alarms
	}
	return &k.others
}

// put queues an event for the hook, and for its spool.
func (k *hook) put(id string, e call.Event) {
	it := item{ID: id, Kind: e.Kind, Told: time.Now(), Body: body(id, e, k.FullNumbers)}
	k.spool.note(it)
	k.lane(e.Kind).add(it)
}

// finish forgets an item that was taken, or will never be.
func (k *hook) finish(it item, outcome string) {
	k.hub.metrics.hooks.WithLabelValues(k.Name, outcome).Inc()
	k.spool.note(item{Done: it.ID})
}
