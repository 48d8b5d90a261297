package sip

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/media"
)

var (
	toQueue = call.Next{Kind: call.Route, Queue: "consult"}
	toMenu  = call.Next{Kind: call.Route, Menu: "main"}
	toOther = call.Next{Kind: call.Route, Menu: "other"}
	toAlarm = call.Next{Kind: call.Route, Queue: "gas"}
)

// reserved is a capacity of ten, of which four are held back.
func reserved() *capacity {
	return newCapacity(&Options{MaxCalls: 10, Alarm: AlarmOptions{Reserve: 4, Queue: "gas", Menus: []string{"main"}}})
}

// fill lets in as many calls as there is room for, and returns how many, and how to free each.
func fill(c *capacity, at call.Next, agent bool) (frees []func(), shed int) {
	for {
		free, s, ok := c.occupy(at, agent)
		if !ok {
			return frees, shed
		}
		if s {
			shed++
		}
		frees = append(frees, free)
	}
}

// Six ordinary calls of ten; then two shed ones, by a number whose menu leads to alarms; then alarms up to ten, of
// which at least two have a place whatever else comes.
func TestCapacityIsHeldBack(t *testing.T) {
	t.Parallel()
	c := reserved()
	others, shed := fill(c, toOther, false)
	require.Len(t, others, 6)
	require.Zero(t, shed)
	byMenu, shed := fill(c, toMenu, false)
	require.Len(t, byMenu, 2)
	require.Equal(t, 2, shed)
	alarms, shed := fill(c, toAlarm, false)
	require.Len(t, alarms, 2)
	require.Zero(t, shed)
	require.Equal(t, 10, c.total())

	// A place is free for its own kind again.
	alarms[0]()
	_, _, ok := c.occupy(toQueue, false)
	require.False(t, ok)
	_, _, ok = c.occupy(toMenu, false)
	require.False(t, ok, "half of what is held back is for alarms alone")
	others[0]()
	_, s, ok := c.occupy(toMenu, false)
	require.True(t, ok)
	require.False(t, s, "an ordinary place is free")
	_, _, ok = c.occupy(toAlarm, false)
	require.True(t, ok)
	require.Equal(t, 10, c.total())
}

// Alarms have every place; what they take of the ordinary places the others have not.
func TestAlarmsHaveEveryPlace(t *testing.T) {
	t.Parallel()
	c := reserved()
	alarms, shed := fill(c, toAlarm, false)
	require.Len(t, alarms, 10)
	require.Zero(t, shed)
	_, _, ok := c.occupy(toMenu, false)
	require.False(t, ok)
	alarms[0]()
	_, _, ok = c.occupy(toQueue, false)
	require.True(t, ok, "nothing but alarms is in")
}

// An agent who dials the alarms' queue, or a menu, has the ordinary places.
func TestAgentsHaveNoReserve(t *testing.T) {
	t.Parallel()
	for _, at := range []call.Next{toAlarm, toMenu} {
		calls, shed := fill(reserved(), at, true)
		require.Len(t, calls, 6)
		require.Zero(t, shed)
	}
}

func TestNoBound(t *testing.T) {
	t.Parallel()
	c := newCapacity(&Options{})
	for range 100 {
		_, shed, ok := c.occupy(toQueue, false)
		require.True(t, ok)
		require.False(t, shed)
	}
}

// On the wire: an ordinary call has 486 when its places are taken, without Retry-After, which would keep alarms
// away too (RFC 3261 section 20.33); the number of the alarms is answered, and a menu's is let in to be asked.
func TestAlarmIsLetIn(t *testing.T) {
	t.Parallel()
	got := make(chan call.Incoming, 4)
	r := newRig(t, func(o *Options) {
		o.MaxCalls, o.Alarm = 4, AlarmOptions{Reserve: 2, Queue: "gas", Menus: []string{"main"}}
		o.Trunks[0].Numbers = map[string]call.Next{testNumber: toMenu, "96119": toAlarm, "96000": toOther}
		legs := make(chan call.Leg, 8)
		serve := untilOver(legs)
		o.OnIncoming = func(ctx context.Context, in call.Incoming) { got <- in; serve(ctx, in) }
	})
	dial := func(number string, wantShed bool) *talk {
		k := newPeer(t, "udp", r.udp()).dialog(number)
		k.answered()
		require.Equal(t, wantShed, next(t, got).Shed, number)
		return k
	}
	live := []*talk{dial("96000", false), dial(testNumber, false), dial(testNumber, true)}
	for _, number := range []string{"96000", testNumber} {
		k := newPeer(t, "udp", r.udp()).dialog(number)
		k.invite()
		busy := k.p.status("INVITE", 486)
		require.Empty(t, busy.header("retry-after"))
		k.ack(busy, "")
	}
	live = append(live, dial("96119", false))
	for _, k := range live {
		k.bye()
	}
	require.Eventually(t, func() bool { return r.calls.total() == 0 }, testWait, time.Millisecond)
}

// A reload may hold back what is half of a sip.max_calls that the process does not have yet: others keep the half of
// what there is.
func TestCapacityHoldsBackHalfAtMost(t *testing.T) {
	t.Parallel()
	c := reserved()
	c.hold(AlarmOptions{Reserve: 50, Queue: "gas", Menus: []string{"main"}})
	others, _ := fill(c, toOther, false)
	require.Len(t, others, 5)
}

// Who finds no port for audio is told what he would be where no place is left: a caller that we are busy, an agent that it is not
// the party, and an alarm to go elsewhere.
func TestNoPortsByClass(t *testing.T) {
	t.Parallel()
	r := alarmRig(t, nil)
	phone := newPeer(t, "udp", r.udp())
	phone.register(r)
	r.engine.refuse(media.ErrNoPorts)
	for number, code := range map[string]int{testNumber: 486, "96000": 486, "96119": 503} {
		called(t, r, number, code)
	}
	k := phone.inviteAsAgent("96119")
	k.ack(phone.status("INVITE", 480), "")
}
