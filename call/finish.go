package call

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"go.uber.org/zap"
)

// finishWithin bounds how long a call's end waits for its record to be durable; the store goes on
// trying after it.
const finishWithin = 10 * time.Second

// begin opens the call's record.
func (c *Call) begin() {
	c.x.Records.Begin(c.rec.clone())
}

// finish ends the call: its legs, its recording, its record, its figures, its one line in the log.
func (c *Call) finish(ctx context.Context, end End) {
	if c.caller != nil {
		c.release(BySystem)
	}
	ended := time.Now()
	c.contained("transfer", func() { c.endTransfer(end.transferCause()) })
	c.contained("legs", func() { ended = c.endLegs(end) })
	c.contained("mailbox", c.closeMailbox)
	c.x.metrics.move(c.at.Kind, Done)
	c.live.Store(nil) // what follows may have to wait for a disk, and nobody is on the line
	c.contained("recording", func() { c.closeRecording(ended) })
	c.annotate()
	c.rec.keepPlace(Next{Kind: Done})
	c.rec.Ended = &ended
	c.rec.Result, c.rec.Reason = end.Result, end.Reason
	Derive(&c.rec, c.now.Targets)
	c.contained("promises", c.lookNoMore)
	c.x.metrics.finished(&c.rec, c.now.Targets.Wait)
	c.contained("finished", func() { c.x.OnFinished(c.rec.clone()) })
	done, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishWithin)
	defer cancel()
	err := c.x.Records.Finish(done, c.rec.clone())
	if errors.Is(err, context.DeadlineExceeded) {
		c.log.Warn("record not durable yet, the store goes on trying", zap.Duration("after", finishWithin))
	} else if err != nil {
		c.log.Error("record not written", zap.Error(err))
	}
	c.logLine()
}

// endLegs hangs up whatever is still up, and returns when the call ended.
func (c *Call) endLegs(end End) time.Time {
	why := end.cause()
	ended := time.Now()
	if c.caller != nil {
		if e, over := EndOf(c.caller); over {
			ended = e.At
		}
	}
	for _, l := range c.legs {
		c.drop(l, why)
	}
	c.closeTalks(ended)
	return ended
}

// closeMailbox lets nothing in any more, and answers what nobody will act on.
func (c *Call) closeMailbox() {
	c.postMu.Lock()
	c.shut = true
	c.postMu.Unlock()
	for {
		select {
		case cmd := <-c.mailbox:
			refuse(cmd)
		default:
			return
		}
	}
}

// closeRecording ends the recording with the last talk.
func (c *Call) closeRecording(ended time.Time) {
	if c.recording == nil {
		if c.rec.betweenAgents() {
			c.rec.Unrecorded = unrecordedAgents
		}
		return
	}
	if !c.rec.wasJoined() { // joining failed: there is nothing in it
		c.rec.Recording, c.rec.Unrecorded = "", "not joined"
		c.discard(c.recording)
		return
	}
	for _, t := range slices.Backward(c.rec.Talks) {
		if t.Joined != nil && t.Ended != nil {
			ended = *t.Ended
			break
		}
	}
	if err := c.recording.Close(ended); err != nil {
		c.rec.Unrecorded = "incomplete"
		c.log.Error("recording is not whole", zap.String("recording", c.rec.Recording), zap.Error(err))
	}
}

// logLine is the one line a call leaves in the log.
func (c *Call) logLine() {
	r, to := &c.rec, c.rec.To
	if r.agentMade() { // a customer's number it may be, and not one of ours
		to = Mask(to)
	}
	c.log.Info("call",
		zap.String("from", Mask(r.From)), zap.String("to", to),
		zap.String("queue", r.Queue), zap.String("agent", r.Agent),
		zap.String("result", string(r.Result)), zap.String("reason", string(r.Reason)),
		zap.String("release", string(r.Release)), zap.Int("rings", r.Rings),
		zap.Float64("wait", rounded(r.WaitSeconds)), zap.Float64("talk", rounded(r.TalkSeconds)),
		zap.Float64("hold", rounded(r.HoldSeconds)), zap.Float64("mos", r.MOS), zap.Int("offers", CountOffers(r.Offers)),
		zap.Bool("recorded", r.Recording != "" && r.Unrecorded == ""))
}

// rounded is seconds to the millisecond, for whoever reads the log.
func rounded(seconds float64) float64 { return math.Round(seconds*1000) / 1000 }
