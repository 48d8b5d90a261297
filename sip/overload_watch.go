package sip

import (
	"context"
	"errors"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"

	"hotline/call"
)

// watchLoad ends an interval of the measuring ten times a second, until ctx is done; then it returns nil. A phone, for
// which nothing is limited or told, is spared that.
func (u *UA) watchLoad(ctx context.Context) error {
	if u.o.Registry == nil && u.o.Overload == (OverloadOptions{}) {
		return nil
	}
	timer := time.NewTimer(overloadEvery) // no ticker: how late that was is not to be made up for by the next
	defer timer.Stop()
	at := time.Now()
	used, known := u.cpuTime()
	sockets, audio := newBacklogs(u.listeners), u.o.Engine.Lag()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		now := time.Now()
		m := measures{took: now.Sub(at), cpu: -1, late: max(0, now.Sub(at)-overloadEvery), audio: audio(), live: u.calls.total()}
		if m.queue, m.dropped = sockets.look(); m.dropped > 0 {
			u.metrics.dropped.WithLabelValues(dropUnread).Add(float64(m.dropped))
		}
		if known {
			var total time.Duration
			if total, known = u.cpuTime(); known {
				m.cpu = float64(total-used) / float64(m.took) / u.o.Cores
				used = total
			}
		}
		u.sentry.load.take(&m, u.o.Cores)
		u.tickLoad(m)
		at = time.Now()
		timer.Reset(overloadEvery)
	}
}

// tickLoad ends an interval, and tells of a level that came with it.
func (u *UA) tickLoad(m measures) {
	was, is := u.load.tick(m)
	if was.Level == is.Level {
		return
	}
	line, level := "load is normal again", zap.InfoLevel
	switch is.Level {
	case levelNormal:
	case levelLimited:
		line, level = "overloaded: new calls are bounded", zap.WarnLevel
	case levelSaturated:
		line, level = "saturated: alarms alone are let in", zap.ErrorLevel
	}
	u.log.Log(level, line, zap.Duration("lag", is.Lag), zap.Duration("audio_lag", is.Audio), zap.Float64("cpu", is.CPU),
		zap.Float64("calls_per_second", is.Rate), zap.Float64("calls", is.Most))
}

// cpuTime is the CPU time used by the process; false, told once, where the system does not say.
func (u *UA) cpuTime() (time.Duration, bool) {
	if u.o.CPUTime == nil {
		return 0, false
	}
	used, err := u.o.CPUTime()
	if err != nil {
		u.log.Error("CPU not measured; overload goes by the lag of requests alone", zap.Error(err))
	}
	return used, err == nil
}

// errCores: a share of nothing.
var errCores = errors.New("sip: CPUTime without Cores")

func (o *Options) checkLoad() error {
	if o.CPUTime != nil && o.Cores <= 0 {
		return errCores
	}
	return nil
}

// overloads is the table from the class of a call that is not let in to its status. None carries Retry-After, see
// refusals. 486 has a trunk's caller hear that we are busy, where 503 would take us out of the trunk's rotation, and keep
// alarms away; an agent's phone is told that it is not the party who is busy; and an alarm for which there is no place
// is to go anywhere else.
var overloads = [classes]int{
	classRest: sipmsg.StatusBusyHere, classMenu: sipmsg.StatusBusyHere,
	classAgent: sipmsg.StatusTemporarilyUnavailable, classAlarm: sipmsg.StatusServiceUnavailable,
}

// letIn finds a place for a call among those that are in, and holds it against the load. It returns what gives the place
// back, and whether the caller is but to be asked for an alarm; the status of a refusal, where that is not 0.
func (u *UA) letIn(in *call.Incoming, came time.Time) (free func(), shed bool, refused int) {
	k := u.calls.classOf(in.At, in.Agent != "")
	free, shed, ok := u.occupy(in)
	if !ok {
		u.metrics.admission(k, admitFull)
		return nil, false, overloads[k]
	}
	now := time.Now()
	v := u.load.admit(k, now.Sub(came), now)
	if v == admitNot {
		free()
		u.metrics.admission(k, v)
		return nil, false, overloads[k]
	}
	if shed || v == admitShort {
		v = admitShort
	}
	u.metrics.admission(k, v)
	return free, v == admitShort, 0
}
