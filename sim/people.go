package sim

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"go.uber.org/zap"

	"hotline/call"
	"hotline/media"
	"hotline/sip"
)

const (
	// listens is about how long a caller hears the menu before the key.
	listens = 3 * time.Second
	// dialFor is how long a caller lets it ring.
	dialFor = 40 * time.Second
	// greeting is the share of the mean talk that the shortest talk lasts.
	greeting = 0.25
	// forever is until the other hangs up.
	forever = time.Duration(math.MaxInt64)
)

// begin has one more caller call. The caller lives until the far end, patience or the world's end: the
// end of arrivals is not theirs, so ctx is that of Run.
func (w *World) begin(ctx context.Context) {
	w.dialled.Add(1)
	w.calling.Add(1)
	w.calls.Go(func() {
		defer w.calling.Add(-1)
		w.call(ctx)
	})
}

// call is one caller's life: dial, listen, choose, wait, talk, hang up.
func (w *World) call(ctx context.Context) {
	dialled := time.Now()
	choice := w.choose()
	number, joined := w.newCaller()
	defer w.forget(number)
	phone, err := w.callers.Add(sip.PhoneOptions{User: number})
	if err != nil {
		w.refused.Add(1)
		w.log.Warn("no phone for a caller", zap.Error(err))
		return
	}
	defer w.callers.Remove(number)
	dialling, cancel := context.WithTimeoutCause(ctx, dialFor, call.CancelCause{Why: call.CauseCancel})
	defer cancel()
	leg, err := phone.Dial(dialling, choice.Number, sip.DialOptions{Prefer: media.PCMA})
	if err != nil && ctx.Err() != nil {
		w.lost.Add(1)
		return
	}
	if err != nil {
		w.refused.Add(1)
		w.log.Debug("caller not let in", zap.Error(err))
		return
	}
	defer leg.Hangup(call.CauseBye)
	if choice.Key != 0 && !w.press(ctx, leg, choice.Key) {
		w.lost.Add(1)
		return
	}
	w.waitAndTalk(ctx, leg, joined, dialled)
}

// press listens a while, and presses a key. It reports whether the leg and the world lasted so long.
func (w *World) press(ctx context.Context, leg call.Leg, key media.Key) bool {
	return during(ctx, leg, w.about(listens)) && leg.Audio().SendKey(ctx, key) == nil
}

// waitAndTalk waits for an agent as long as patience lasts, and then talks.
func (w *World) waitAndTalk(ctx context.Context, leg call.Leg, joined <-chan struct{}, dialled time.Time) {
	patience := time.NewTimer(w.about(w.o.Patience))
	defer patience.Stop()
	select {
	case <-joined:
	case <-patience.C:
		w.gaveUp.Add(1)
		return
	case <-leg.Context().Done():
		w.lost.Add(1)
		return
	case <-ctx.Done():
		w.lost.Add(1)
		return
	}
	w.answered.Add(1)
	w.waited(time.Since(dialled))
	if during(ctx, leg, w.talk(), w.speaks(caller)) {
		w.talked.Add(1)
	}
}

// during plays clips to a leg for a time, and reports whether the leg and the world lasted so long.
func during(ctx context.Context, leg call.Leg, d time.Duration, clips ...media.Clip) bool {
	var playing sync.WaitGroup
	defer playing.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if len(clips) > 0 {
		// Its error says how it ended: with ctx, or with the leg, which is looked at below.
		playing.Go(func() { _ = leg.Audio().Play(ctx, clips...) })
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-leg.Context().Done():
		return false
	case <-ctx.Done():
		return false
	}
}

// agent registers an agent whose phone answers by itself after a while.
func (w *World) agent(ctx context.Context, set *sip.Phones, a Agent) (*sip.Phone, error) {
	phone, err := set.Add(sip.PhoneOptions{User: a.ID, Password: a.Password, OnIncoming: w.serve})
	if err != nil {
		return nil, err
	}
	if err := phone.Register(ctx); err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	return phone, nil
}

// serve is an agent's part of one call: let it ring, answer, talk until the caller hangs up. Run by the
// phone, which ends ctx when it is closed.
func (w *World) serve(ctx context.Context, in call.Incoming) {
	if err := in.Leg.Ring(); err != nil {
		return // cancelled already
	}
	rings := w.about(w.o.Pickup)
	if w.away() {
		w.missed.Add(1)
		rings = forever
	}
	if !during(ctx, in.Leg, rings) {
		return
	}
	if _, err := in.Leg.Answer(); err != nil {
		return // cancelled in that instant
	}
	defer in.Leg.Hangup(call.CauseBye)
	w.meet(in.From)
	during(ctx, in.Leg, forever, w.speaks(agent))
}

// newCaller gives a caller a number, by which the agent who answers finds them: people who are not
// there cannot hear that they are talked to.
func (w *World) newCaller() (number string, joined <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.number++
	number = fmt.Sprintf("139%08d", w.number)
	c := make(chan struct{})
	w.joined[number] = c
	return number, c
}

// meet tells a caller that an agent answered.
func (w *World) meet(number string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c, ok := w.joined[number]; ok {
		close(c)
		delete(w.joined, number)
	}
}

func (w *World) forget(number string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.joined, number)
}
