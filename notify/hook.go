package notify

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// hook is one of Options.Hooks with what waits for it. Alarms go by a lane of their own, so that nothing is before
// them: not even a request that hangs.
type hook struct {
	name           string
	now            atomic.Pointer[Hook] // as it is configured now
	hub            *Hub
	log            *zap.Logger
	spool          *spool
	alarms, others lane

	stop func()        // ends what start began; nil before
	done chan struct{} // closed when that has ended
}

// open makes a hook and takes up what its spool has.
func (h *Hub) open(o Hook) *hook {
	k := &hook{name: o.Name, hub: h, log: h.o.Logger.With(zap.String("webhook", o.Name))}
	k.now.Store(&o)
	k.alarms = newLane(k, alarmSlowest)
	k.others = newLane(k, slowest)
	var left []item
	left, k.spool = openSpool(spoolPath(h.o.Dir, o.Name), k.log)
	h.metrics.watch(k)
	h.metrics.hooks.WithLabelValues(o.Name, outcomeDamaged).Add(float64(k.spool.damaged))
	for _, it := range left {
		k.lane(it.Kind).add(it)
	}
	if len(left) > 0 {
		k.log.Info("events left from before are sent now", zap.Int("events", len(left)))
	}
	return k
}

// start sends until ctx ends or end is called.
func (k *hook) start(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	k.stop, k.done = stop, make(chan struct{})
	go func() {
		defer close(k.done)
		k.run(ctx)
	}()
}

func (k *hook) run(ctx context.Context) {
	var lanes, keeper sync.WaitGroup
	quit := make(chan struct{})
	for _, l := range []*lane{&k.alarms, &k.others} {
		lanes.Go(func() { l.run(ctx) })
	}
	keeper.Go(func() { k.spool.run(quit) })
	lanes.Wait()
	close(quit) // the lanes have said their last
	keeper.Wait()
}

// end stops sending at once, and returns when what was not taken is written down.
func (k *hook) end() error {
	if k.stop != nil {
		k.stop()
		<-k.done
	}
	return k.spool.close()
}

// change has it go by other settings of the same name, from the next try on, which is made now if one is waited for.
func (k *hook) change(o Hook) {
	k.now.Store(&o)
	k.alarms.hurry()
	k.others.hurry()
}

// waiting is how many events wait.
func (k *hook) waiting() int { return k.alarms.len() + k.others.len() }

func (k *hook) lane(kind call.EventKind) *lane {
	if kind == call.EventAlarm || kind == call.EventAlarmStep {
		return &k.alarms
	}
	return &k.others
}

// put queues an event for the hook, and for its spool.
func (k *hook) put(id string, e call.Event) {
	it := item{ID: id, Kind: e.Kind, Told: time.Now(), Body: body(id, e, k.now.Load().FullNumbers)}
	k.spool.note(it)
	k.lane(e.Kind).add(it)
}

// finish forgets an item that was taken, or will never be.
func (k *hook) finish(it item, outcome string) {
	k.hub.metrics.hooks.WithLabelValues(k.name, outcome).Inc()
	k.spool.note(item{Done: it.ID})
}
