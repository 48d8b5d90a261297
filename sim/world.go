package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"hotline/media"
	"hotline/sip"
)

// Choice is one thing callers call about.
type Choice struct {
	Number string    // dialled
	Key    media.Key // pressed in the menu; 0 presses none
	Weight int       // how often, among the others
}

// Agent is a simulated agent.
type Agent struct{ ID, Password string }

// Options of a World.
type Options struct {
	// Hotline is where its SIP listens, over UDP.
	Hotline netip.AddrPort
	// Local is the address the phones bind; zero means the hotline's own (loopback).
	Local netip.Addr
	// Engine carries the phones' audio: one of its own, not the hotline's.
	Engine media.Engine
	// PerMinute is how many callers dial in a minute, on average; they come at random (Poisson).
	PerMinute float64
	Choices   []Choice
	Agents    []Agent
	// Talk is the mean time that caller and agent talk; Patience the mean time a caller waits, from
	// the choice on. Both vary from person to person.
	Talk, Patience time.Duration
	// Pickup is the mean time an agent lets it ring.
	Pickup time.Duration
	// Seed makes two worlds alike; 0 takes one by chance.
	Seed uint64
	// Logger; nil is silent.
	Logger *zap.Logger
}

// Figures count what the people of a world have seen.
type Figures struct{ Dialled, Answered, GaveUp, Refused, Talked int64 }

// World is the people.
type World struct {
	o       Options
	log     *zap.Logger
	callers *sip.Phones
	agents  []*sip.Phones
	voices  []media.Clip

	mu     sync.Mutex
	rand   *rand.Rand
	joined map[string]chan struct{} // by caller's number: closed when an agent answered
	number int

	dialled, answered, gaveUp, refused, talked atomic.Int64
	wg                                         sync.WaitGroup
}

// voiceCount and voiceLength are the speeches that all people share.
const (
	voiceCount  = 4
	voiceLength = 8 * time.Second
)

// New binds the phones' sockets: one that all callers share, as a carrier's trunk does, and one for each
// agent.
func New(o Options) (*World, error) {
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if !o.Local.IsValid() {
		o.Local = o.Hotline.Addr()
	}
	w := &World{
		o: o, log: o.Logger, joined: make(map[string]chan struct{}),
		rand: rand.New(rand.NewPCG(o.Seed, o.Seed>>1)),
	}
	for range voiceCount {
		w.voices = append(w.voices, Speech(w.rand, 110+120*w.rand.Float64(), voiceLength))
	}
	var err error
	if w.callers, err = w.phones(); err != nil {
		return nil, fmt.Errorf("callers: %w", err)
	}
	for range o.Agents {
		p, err := w.phones()
		if err != nil {
			w.close()
			return nil, fmt.Errorf("agents: %w", err)
		}
		w.agents = append(w.agents, p)
	}
	return w, nil
}

func (w *World) phones() (*sip.Phones, error) {
	return sip.NewPhones(sip.PhonesOptions{
		Address: netip.AddrPortFrom(w.o.Local, 0), Server: w.o.Hotline, Engine: w.o.Engine, Logger: w.log,
	})
}

func (w *World) close() {
	for _, p := range slices.Concat(w.agents, []*sip.Phones{w.callers}) {
		if err := p.Close(); err != nil {
			w.log.Warn("phones not closed", zap.Error(err))
		}
	}
}

// Run has agents register and callers call until ctx ends; then everybody hangs up, and it returns when
// they all have. It is called once.
func (w *World) Run(ctx context.Context) error {
	defer w.wg.Wait()
	defer w.close()
	for _, p := range slices.Concat(w.agents, []*sip.Phones{w.callers}) {
		w.wg.Go(func() {
			if err := p.Run(ctx); err != nil {
				w.log.Warn("phones stopped", zap.Error(err))
			}
		})
	}
	for i, a := range w.o.Agents {
		if err := w.agent(ctx, w.agents[i], a); err != nil {
			return fmt.Errorf("agent %s: %w", a.ID, err)
		}
	}
	w.arrivals(ctx)
	return nil
}

// arrivals begins callers, until ctx ends: at first one after the other, as many as there are agents, as
// when a hotline opens in the morning, and then at random times.
func (w *World) arrivals(ctx context.Context) {
	mean := time.Duration(float64(time.Minute) / w.o.PerMinute)
	for n := 0; ; n++ {
		gap := w.exponential(mean)
		if n < len(w.agents) {
			gap = min(gap, time.Second/2)
		}
		if !w.pause(ctx, gap) {
			return
		}
		w.wg.Go(func() { w.call(ctx) })
	}
}

// Figures so far.
func (w *World) Figures() Figures {
	return Figures{
		Dialled: w.dialled.Load(), Answered: w.answered.Load(), GaveUp: w.gaveUp.Load(),
		Refused: w.refused.Load(), Talked: w.talked.Load(),
	}
}

// pause waits, and reports whether ctx is still alive.
func (w *World) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// exponential is a random time with the given mean, at most five times it.
func (w *World) exponential(mean time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(min(w.rand.ExpFloat64(), 5) * float64(mean))
}

// about is a random time within half of a given one, either way.
func (w *World) about(d time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration((0.5 + w.rand.Float64()) * float64(d))
}

func (w *World) voice() media.Clip {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.voices[w.rand.IntN(len(w.voices))]
	v.Loop = true
	return v
}

func (w *World) choose() Choice {
	w.mu.Lock()
	defer w.mu.Unlock()
	var sum int
	for _, c := range w.o.Choices {
		sum += c.Weight
	}
	n := w.rand.IntN(max(sum, 1))
	for _, c := range w.o.Choices {
		if n -= c.Weight; n < 0 {
			return c
		}
	}
	return Choice{}
}
