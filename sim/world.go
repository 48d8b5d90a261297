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

// World is the people. Make one with New, and Run it.
type World struct {
	o       Options
	log     *zap.Logger
	callers *sip.Phones
	agents  []*sip.Phones
	present []*sip.Phone    // of the agents who have registered; Run's own
	voices  [2][]media.Clip // of callers, of agents

	mu     sync.Mutex
	rand   *rand.Rand
	joined map[string]chan struct{} // by caller's number: closed when an agent answered
	number int
	waits  []time.Duration

	dialled, calling, refused, gaveUp, lost, answered, talked, missed atomic.Int64
	wg                                                                sync.WaitGroup
	calls                                                             sync.WaitGroup // callers
	// last is closed when no more callers are to come, gone when none will and all have hung up.
	last, gone      chan struct{}
	isLast, areGone func()
}

// The sides of a talk.
const (
	caller = iota
	agent
)

// voiceCount voices are shared by all people of a side. They take turns: in a round of two turns the
// agent speaks first.
const (
	voiceCount = 4
	turn       = 4 * time.Second
)

// openingGap is the longest time between the first callers, who are as many as there are agents: a hotline
// that has just opened is not quiet for long.
const openingGap = time.Second / 2

// New binds the phones' sockets: one that all callers share, as a carrier's trunk does, and one for each
// agent. Errors: ErrBadOptions; those of the sockets. What it returns must be Run, which closes them.
func New(o Options) (*World, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	w := &World{
		o: o, log: o.Logger, joined: make(map[string]chan struct{}),
		rand: rand.New(rand.NewPCG(o.Seed, o.Seed>>1)), last: make(chan struct{}), gone: make(chan struct{}),
	}
	w.isLast = sync.OnceFunc(func() { close(w.last) })
	w.areGone = sync.OnceFunc(func() { close(w.gone) })
	for range voiceCount {
		w.voices[caller] = append(w.voices[caller], w.voice(false))
		w.voices[agent] = append(w.voices[agent], w.voice(true))
	}
	if w.callers, err = w.phones(); err != nil {
		return nil, fmt.Errorf("callers: %w", err)
	}
	for range o.Agents {
		p, err := w.phones()
		if err != nil {
			w.close(context.Background())
			return nil, fmt.Errorf("agents: %w", err)
		}
		w.agents = append(w.agents, p)
	}
	return w, nil
}

// voice is a turn of speech and a turn of silence, or the other way round.
func (w *World) voice(first bool) media.Clip {
	speech := Speech(w.rand, 110+120*w.rand.Float64(), turn).ALaw
	speech = speech[:min(len(speech), samples(turn.Seconds()))]
	silence := media.EncodeALaw(make([]int16, 2*samples(turn.Seconds())-len(speech)))
	if first {
		return media.Clip{Name: "agent's voice", ALaw: slices.Concat(speech, silence), Loop: true}
	}
	return media.Clip{Name: "caller's voice", ALaw: slices.Concat(silence, speech), Loop: true}
}

func (w *World) phones() (*sip.Phones, error) {
	return sip.NewPhones(sip.PhonesOptions{
		Address: netip.AddrPortFrom(w.o.Local, 0), Server: w.o.Hotline, Engine: w.o.Engine, Logger: w.log,
	})
}

// leaveWithin is how long an agent's phone tries to take its registration back.
const leaveWithin = time.Second

// close hangs up the callers' phones and then, once the hotline has heard that and has taken back what was
// offered, has the agents leave, who would else be gone before they are told.
func (w *World) close(ctx context.Context) {
	end := func(p *sip.Phones) {
		if err := p.Close(); err != nil {
			w.log.Warn("phones not closed", zap.Error(err))
		}
	}
	end(w.callers)
	ctx, cancel := context.WithTimeout(ctx, leaveWithin)
	defer cancel()
	var all sync.WaitGroup
	for i, p := range w.agents {
		all.Go(func() {
			defer end(p)
			if i >= len(w.present) {
				return
			}
			if err := w.present[i].Unregister(ctx); err != nil {
				w.log.Warn("agent did not sign off", zap.Error(err))
			}
		})
	}
	all.Wait()
}

func (w *World) everybody() []*sip.Phones { return append(slices.Clone(w.agents), w.callers) }

// Run has agents register and callers call until ctx ends; then everybody hangs up, the agents sign off,
// and it returns when they all have. It is called once. Errors: an agent who cannot register.
func (w *World) Run(ctx context.Context) error {
	outlasting := context.WithoutCancel(ctx) // the world's end, so that it can be told to the hotline
	defer w.areGone()
	defer w.wg.Wait()
	defer w.close(outlasting)
	for _, p := range w.everybody() {
		w.wg.Go(func() {
			if err := p.Run(outlasting); err != nil { // close ends it
				w.log.Warn("phones stopped", zap.Error(err))
			}
		})
	}
	for i, a := range w.o.Agents {
		phone, err := w.agent(ctx, w.agents[i], a)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("agent %s: %w", a.ID, err)
		}
		w.present = append(w.present, phone)
	}
	w.arrivals(ctx)
	w.wg.Go(func() {
		w.calls.Wait()
		w.areGone()
	})
	<-ctx.Done()
	return nil
}

// Drain has no more callers come, and returns when those who have come are gone, each answered, refused or out of patience:
// only then do Figures say what became of all. The agents stay, and Run goes on. It may be called from any goroutine, more
// than once; error: ctx's, when that ends before.
func (w *World) Drain(ctx context.Context) error {
	w.isLast()
	select {
	case <-w.gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for %d callers to hang up: %w", w.calling.Load(), context.Cause(ctx))
	}
}

// arrivals begins callers until ctx or their time ends, or Drain is called.
func (w *World) arrivals(ctx context.Context) {
	coming := ctx
	if w.o.For > 0 {
		var cancel context.CancelFunc
		coming, cancel = context.WithTimeout(ctx, w.o.For)
		defer cancel()
	}
	mean := time.Duration(float64(time.Minute) / w.o.PerMinute)
	for n := 0; ; n++ {
		gap := w.exponential(mean)
		if n < len(w.agents) {
			gap = min(gap, openingGap)
		}
		if !w.pause(coming, gap) {
			return
		}
		w.begin(ctx)
	}
}

// Figures so far.
func (w *World) Figures() Figures {
	return Figures{
		Dialled: w.dialled.Load(), Calling: w.calling.Load(), Refused: w.refused.Load(),
		GaveUp: w.gaveUp.Load(), Lost: w.lost.Load(), Answered: w.answered.Load(),
		Talked: w.talked.Load(), Missed: w.missed.Load(),
	}
}

// Waits are how long each caller who was answered by an agent had waited, from dialling on, in the order of the answers.
func (w *World) Waits() []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.waits)
}

// waited notes one of them.
func (w *World) waited(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waits = append(w.waits, d)
}

// pause waits, and reports whether callers are still to come.
func (w *World) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-w.last:
	}
	return false
}

// exponential is a random time with the given mean, at most five times it.
func (w *World) exponential(mean time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(min(w.rand.ExpFloat64(), 5) * float64(mean))
}

// talk is how long two people have to say to each other.
func (w *World) talk() time.Duration {
	least := time.Duration(greeting * float64(w.o.Talk))
	return least + w.exponential(w.o.Talk-least)
}

// about is a random time within half of a given one, either way.
func (w *World) about(d time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration((0.5 + w.rand.Float64()) * float64(d))
}

// away reports whether an agent is not at the desk.
func (w *World) away() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rand.Float64() < w.o.Miss
}

// speaks is the voice of a person on a side of a talk.
func (w *World) speaks(side int) media.Clip {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.voices[side][w.rand.IntN(voiceCount)]
}

// choose picks a choice by weight.
func (w *World) choose() Choice {
	w.mu.Lock()
	defer w.mu.Unlock()
	var sum int
	for _, c := range w.o.Choices {
		sum += c.Weight
	}
	n := w.rand.IntN(sum)
	i := slices.IndexFunc(w.o.Choices, func(c Choice) bool {
		n -= c.Weight
		return n < 0
	})
	return w.o.Choices[i]
}
