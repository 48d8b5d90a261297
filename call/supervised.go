package call

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"hotline/media"
)

// A talk with a supervisor on its line. The supervisor's leg is their own call's, which lends its stream: what happens
// to that leg costs the talk nothing. While the parties are apart (a hold) the supervisor hears silence; a transfer,
// like every end of the agent's part, ends the supervision.

// supervise acts on the command. changed says that what the parties hear must follow.
func (t *talking) supervise(cmd Supervise) (changed bool) {
	if why := t.unsupervisable(cmd); why != nil {
		cmd.Reply(why)
		return false
	}
	t.unnoted(time.Now())
	t.c.rec.Supervisions = append(t.c.rec.Supervisions, Supervision{By: cmd.By, Mode: cmd.Mode, From: time.Now()})
	Audit(t.c.log).Info("audit: supervised", zap.String("by", cmd.By), zap.String("mode", string(cmd.Mode)),
		zap.String("agent", t.at.Agent))
	first := t.watch == nil
	if first {
		t.watch = &cmd
	}
	t.watch.Mode = cmd.Mode
	cmd.Reply(nil)
	if t.agentHolds || t.makerHolds { // they are apart, and are joined in that mode
		t.c.publish()
		return false
	}
	if first || t.room == nil {
		return true
	}
	if err := t.room.Set(hears[cmd.Mode]...); err != nil {
		t.c.log.Error("supervisor's mode not changed in its room", zap.Error(err))
		return true
	}
	t.c.publish()
	return false
}

// unsupervisable is why a wish is refused; nil if it is not. What two agents say to each other is nobody's call, and
// nothing is heard before the parties were told that they are.
func (t *talking) unsupervisable(cmd Supervise) error {
	_, known := hears[cmd.Mode]
	switch {
	case !known:
		return ErrBadMode
	case t.left, t.c.internal(), t.record().Joined == nil:
		return ErrNotTalking
	case cmd.By == t.at.Agent, cmd.By == t.c.by:
		return ErrEngaged
	case t.watch != nil && t.watch.Leg != cmd.Leg:
		return ErrSupervised
	case len(t.c.rec.Supervisions) >= MaxSupervisions:
		return ErrSupervisedOften
	default:
		return nil
	}
}

// watcherGone is closed when the supervisor's leg has ended; it never is without one.
func (t *talking) watcherGone() <-chan struct{} {
	if t.watch == nil {
		return nil
	}
	return t.watch.Gone
}

// unwatch ends the supervision, if there is one. changed says that what the parties hear must follow.
func (t *talking) unwatch() (changed bool) {
	if t.watch == nil {
		return false
	}
	t.unnoted(time.Now())
	Audit(t.c.log).Info("audit: supervised no more", zap.String("by", t.watch.By), zap.String("agent", t.at.Agent))
	t.watch.Over()
	t.watch = nil
	return t.room != nil
}

// watched has the parties hear each other alone again.
func (t *talking) watched(ctx context.Context) error {
	if t.unwatch() {
		return t.connect(ctx)
	}
	t.c.publish()
	return nil
}

// unnoted writes the end of the supervision that the record has as going on, if there is one.
func (t *talking) unnoted(at time.Time) {
	if t.watch == nil {
		return
	}
	all := t.c.rec.Supervisions
	all[len(all)-1].To = &at
}

// mix joins the parties in a room with the supervisor. One whose stream cannot be joined is taken off the line: the
// talk does not suffer from it.
func (t *talking) mix(tap media.Tap) (joined bool) {
	if t.watch == nil {
		return false
	}
	parties := make([]media.Party, 3)
	for i, s := range []media.Stream{t.c.caller.Audio(), t.agent.Audio(), t.watch.Audio} {
		parties[i] = media.Party{Stream: s, Hears: hears[t.watch.Mode][i]}
	}
	room, err := t.c.x.Bridge.Mix(tap, parties...)
	if err != nil {
		t.c.log.Info("supervisor not joined", zap.String("by", t.watch.By), zap.Error(fmt.Errorf("mix: %w", err)))
		t.unwatch()
		return false
	}
	t.apart()
	t.apart, t.room, t.joined = room.Close, room, true
	return true
}

// closeSupervisions closes what a crash left open.
func (r *Record) closeSupervisions(at time.Time) {
	for i := range r.Supervisions {
		if s := &r.Supervisions[i]; s.To == nil {
			s.To = &at
		}
	}
}
