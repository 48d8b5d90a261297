package notify

import (
	"fmt"
	"slices"

	"go.uber.org/zap"
)

// Reload checks other hooks, and returns what puts them in the place of those there are, which does not fail. A hook is
// known by its name. One that is new begins with what its spool has from before; one that is configured otherwise goes
// on in its order, what waits for it included, and the next try goes by the new settings, at once if it is a later one
// that is waited for; only how numbers are shown stays as it was when the event was told. One that is gone is sent
// nothing more: what waits for it stays in its spool, to be sent if a reload brings it back, until the next start
// deletes it. Errors: what is wrong with the hooks, all at once.
//
// What is returned waits for the disk and for requests that it cuts off; it may be called from any goroutine, and does
// nothing once the hub has ended.
func (h *Hub) Reload(hooks []Hook) (put func(), err error) {
	o := h.o
	o.Hooks = slices.Clone(hooks)
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	return func() { h.put(o.Hooks) }, nil
}

func (h *Hub) put(hooks []Hook) {
	h.changing.Lock()
	defer h.changing.Unlock()
	if h.over {
		return
	}
	gone := slices.Clone(h.told())
	next := make([]*hook, 0, len(hooks))
	for _, o := range hooks {
		at := slices.IndexFunc(gone, func(k *hook) bool { return k.name == o.Name })
		if at < 0 {
			next = append(next, h.open(o))
			continue
		}
		k := gone[at]
		gone = slices.Delete(gone, at, at+1)
		next = append(next, k)
		if !k.now.Load().equal(o) {
			k.change(o)
		}
	}
	before := h.told()
	h.mu.Lock()
	h.hooks = next
	h.mu.Unlock()
	for _, k := range next {
		if h.begin != nil && !slices.Contains(before, k) {
			h.begin(k)
		}
	}
	for _, k := range gone {
		h.drop(k)
	}
}

// drop ends a hook that is configured no more.
func (h *Hub) drop(k *hook) {
	if err := k.end(); err != nil {
		k.log.Error("spool not closed", zap.Error(err))
	}
	h.metrics.unwatch(k)
	k.log.Warn("webhook is not configured any more; events that wait for it are kept until the next start",
		zap.Int("events", k.waiting()))
}

// equal reports whether a hook is configured in the same way.
func (o *Hook) equal(other Hook) bool {
	return o.Name == other.Name && o.URL == other.URL && o.Secret == other.Secret &&
		o.FullNumbers == other.FullNumbers && slices.Equal(o.Events, other.Events)
}
