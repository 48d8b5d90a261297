package sim

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"hotline/call"
	"hotline/media"
	"hotline/sip"
)

// How long a caller listens to the menu before the key, and the press of a phone's refusal is shown.
const (
	listens = 3 * time.Second
	dialFor = 40 * time.Second
)

// call is one caller's life: dial, listen, choose, wait, talk, hang up.
func (w *World) call(ctx context.Context) {
	choice := w.choose()
	number, joined := w.newCaller()
	defer w.forget(number)
	phone, err := w.callers.Add(sip.PhoneOptions{User: number})
	if err != nil {
		w.log.Warn("no phone for a caller", zap.Error(err))
		return
	}
	defer w.callers.Remove(number)
	dialling, cancel := context.WithTimeoutCause(ctx, dialFor, call.CancelCause{Why: call.CauseCancel})
	defer cancel()
	w.dialled.Add(1)
	leg, err := phone.Dial(dialling, choice.Number, sip.DialOptions{Prefer: media.PCMA})
	if err != nil {
		w.refused.Add(1)
		w.log.Debug("caller not let in", zap.Error(err))
		return
	}
	defer leg.Hangup(call.CauseBye)
	if choice.Key != 0 {
		if !w.during(ctx, leg, nil, w.about(listens)) {
			return
		}
		if err := leg.Audio().SendKey(ctx, choice.Key); err != nil {
			return
		}
	}
	w.waitAndTalk(ctx, leg, joined)
}

// waitAndTalk waits for an agent as long as patience lasts, and then talks.
func (w *World) waitAndTalk(ctx context.Context, leg call.Leg, joined <-chan struct{}) {
	patience := time.NewTimer(w.about(w.o.Patience))
	defer patience.Stop()
	select {
	case <-joined:
	case <-patience.C:
		w.gaveUp.Add(1)
		return
	case <-leg.Context().Done():
		return
	case <-ctx.Done():
		return
	}
	w.answered.Add(1)
	if w.during(ctx, leg, []media.Clip{w.voice()}, w.exponential(w.o.Talk)+5*time.Second) {
		w.talked.Add(1)
	}
}

// during plays to a leg for a time, and reports whether the leg and the world lasted so long.
func (w *World) during(ctx context.Context, leg call.Leg, clips []media.Clip, d time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	if len(clips) > 0 {
		w.wg.Go(func() { _ = leg.Audio().Play(ctx, clips...) }) // ends with ctx or with the leg
	}
	select {
	case <-leg.Context().Done():
		return false
	case <-ctx.Done():
		return context.Cause(ctx) == context.DeadlineExceeded
	}
}

// agent registers an agent whose phone answers by itself after a while.
func (w *World) agent(ctx context.Context, set *sip.Phones, a Agent) error {
	phone, err := set.Add(sip.PhoneOptions{
		User: a.ID, Password: a.Password,
		OnIncoming: func(ctx context.Context, in call.Incoming) { w.serve(ctx, in) },
	})
	if err != nil {
		return err
	}
	if err := phone.Register(ctx); err != nil {
		return fmt.Errorf("register: %w", err)
	}
	return nil
}

// serve is an agent's part of one call: let it ring, answer, talk until the caller hangs up.
func (w *World) serve(ctx context.Context, in call.Incoming) {
	if err := in.Leg.Ring(); err != nil {
		return
	}
	if !w.during(ctx, in.Leg, nil, w.about(w.o.Pickup)) {
		return
	}
	if _, err := in.Leg.Answer(); err != nil {
		return
	}
	defer in.Leg.Hangup(call.CauseBye)
	w.meet(in.From)
	voice := w.voice()
	w.wg.Go(func() { _ = in.Leg.Audio().Play(in.Leg.Context(), voice) }) // ends with the leg
	select {
	case <-in.Leg.Context().Done():
	case <-ctx.Done():
	}
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
