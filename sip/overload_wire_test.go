package sip

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"hotline/call"
)

// always is a limit that every interval is beyond: a timer is never on time.
var always = OverloadOptions{Lag: 1}

// reaches waits until the load is held to be at a level.
func (r *rig) reaches(t *testing.T, l level) {
	t.Helper()
	require.Eventually(t, func() bool { return r.load.found().Level == l }, testWait, time.Millisecond)
}

// overloadRig is a user agent beyond its limits, with no lines taken; got are the calls it lets in.
func overloadRig(t *testing.T) (r *rig, got chan call.Incoming) {
	t.Helper()
	got = make(chan call.Incoming, 8)
	serve := untilOver(make(chan call.Leg, 8))
	return alarmRig(t, func(o *Options) {
		o.MaxCalls, o.Alarm.Reserve, o.Overload, o.Logger = 100, 4, always, zap.NewNop()
		o.OnIncoming = func(ctx context.Context, in call.Incoming) { got <- in; serve(ctx, in) }
	}), got
}

func counted(r *rig, k class, v admission) float64 {
	return testutil.ToFloat64(r.metrics.admissions.WithLabelValues(k.String(), v.String()))
}

// On the wire, where even the least rate is too much: a number that cannot lead to an alarm has 486, one that can is let
// in to be asked, an agent's phone has 480, the alarms' number is answered; no Retry-After. What is in a dialog, a
// REGISTER and an OPTIONS are served as ever.
func TestOverloadOnTheWire(t *testing.T) {
	t.Parallel()
	r, got := overloadRig(t)
	phone := newPeer(t, "udp", r.udp())
	phone.register(r)
	r.reaches(t, levelSaturated)
	called(t, r, "96000", 486)
	k := phone.inviteAsAgent("96119")
	w := phone.status("INVITE", 480)
	require.Empty(t, w.header("retry-after"))
	k.ack(w, "")
	short := called(t, r, testNumber, 200)
	require.True(t, next(t, got).Shed)
	alarm := called(t, r, "96119", 200)
	require.False(t, next(t, got).Shed)
	asked(t, r, 200)
	phone.enlist(phone.dialog("8001"))
	for _, live := range []*talk{short, alarm} {
		live.request("INFO", "Signal=3\r\n", "Content-Type: application/dtmf-relay")
		live.p.status("INFO", 200)
		live.bye()
	}
	require.InDelta(t, 1, counted(r, classRest, admitNot), 0)
	require.InDelta(t, 1, counted(r, classAgent, admitNot), 0)
	require.InDelta(t, 1, counted(r, classMenu, admitShort), 0)
	require.InDelta(t, 1, counted(r, classAlarm, admitted), 0)
	require.Eventually(t, func() bool { return r.calls.total() == 0 }, testWait, time.Millisecond, "what was refused has no place")

	// A reload takes the limit away.
	put, err := r.Reload(Settings{
		Agents: r.o.Agents, Trunks: r.o.Trunks, Alarm: r.o.Alarm,
	})
	require.NoError(t, err)
	put()
	called(t, r, "96000", 200).bye()
	require.False(t, next(t, got).Shed)
}

// The CPU that the process uses is what it says, of the cores that it may use.
func TestOverloadByCPU(t *testing.T) {
	t.Parallel()
	var share, used atomic.Int64
	var asked atomic.Int64
	r := alarmRig(t, func(o *Options) {
		o.Overload, o.Cores, o.Logger = OverloadOptions{CPU: 0.8}, 1.5, zap.NewNop()
		o.CPUTime = func() (time.Duration, error) {
			if asked.Add(1) == 1 {
				used.Store(time.Now().UnixNano())
			}
			if share.Load() == 0 {
				return 0, nil
			}
			return time.Duration(2 * (time.Now().UnixNano() - used.Load())), nil // two cores' worth, always
		}
	})
	require.Eventually(t, func() bool { return asked.Load() > 10 }, testWait, time.Millisecond)
	require.Equal(t, levelNormal, r.load.found().Level)
	share.Store(1)
	r.reaches(t, levelLimited)
	require.Greater(t, r.load.found().CPU, 0.8)
}

// A system that does not say what is used is asked no more, and nothing is held to be used.
func TestOverloadWithoutCPU(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 100)
	r := alarmRig(t, func(o *Options) {
		o.Overload, o.Cores, o.Logger = OverloadOptions{CPU: 0.01, Lag: 1}, 1, zap.NewNop()
		o.CPUTime = func() (time.Duration, error) {
			asked <- struct{}{}
			return 0, errors.New("not here")
		}
	})
	r.reaches(t, levelSaturated)
	require.Zero(t, r.load.found().CPU)
	require.Len(t, asked, 1)
}

// A share of no cores is a mistake of whoever wires it.
func TestOverloadNeedsCores(t *testing.T) {
	t.Parallel()
	_, err := New(Options{Engine: &fakeEngine{}, CPUTime: func() (time.Duration, error) { return 0, nil }})
	require.ErrorIs(t, err, errCores)
}
