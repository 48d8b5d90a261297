package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

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
	started atomic.Bool

	changing sync.Mutex  // held while hooks are begun and ended; guards begin and over
	begin    func(*hook) // begins to send to a hook; nil before Run
	over     bool        // nothing is sent any more

	mu    sync.Mutex // guards what follows
	hooks []*hook    // never written to: another list takes its place
	seen  map[string]bool
	ids   []string // of seen, in a ring of remembered
	next  int
}

// New opens the spools and takes up again what was not taken before a restart. A spool that cannot be read or written
// is said to the log and shown in the metrics: its hook is told all the same. Errors: what is wrong with the options,
// all at once; the registry's.
func New(o Options) (*Hub, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	m, err := newMetrics(&o)
	if err != nil {
		return nil, fmt.Errorf("notify: register metrics: %w", err)
	}
	h := &Hub{o: o, metrics: m, seen: make(map[string]bool, remembered)}
	tidy(&o)
	for _, hook := range o.Hooks {
		h.hooks = append(h.hooks, h.open(hook))
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
	for _, k := range h.told() {
		if wants := k.now.Load().Events; len(wants) == 0 || slices.Contains(wants, e.Kind) {
			k.put(id, e)
		}
	}
}

// told are the hooks there are.
func (h *Hub) told() []*hook {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hooks
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
	h.changing.Lock()
	h.begin = func(k *hook) { k.start(ctx) }
	for _, k := range h.told() {
		h.begin(k)
	}
	h.changing.Unlock()
	<-ctx.Done()
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
	h.changing.Lock()
	defer h.changing.Unlock()
	h.over = true
	var errs []error
	for _, k := range h.told() {
		errs = append(errs, k.end())
	}
	return errors.Join(errs...)
}
