package mediatest

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// soakRoom: three hear each other, are recorded and listened to; who hears whom changes, one leaves, and the room ends.
func soakRoom(t *testing.T, k *Soaker) {
	t.Helper()
	a, b, p, q := k.pair(t)
	c, r := k.open(t, media.StreamOptions{}), NewPhone(t, media.PCMA)
	r.Call(c)
	tap, ear := &ear{}, &gate{}
	stop, err := k.engine.Listen(c, ear)
	require.NoError(t, err)
	defer stop()
	room, err := k.engine.Mix(tap, parties([][]int{{1, 2}, {0, 2}, {0, 1}}, a, b, c)...)
	require.NoError(t, err)
	defer room.Close()
	converse([]*Phone{p, q, r}, 5)
	for _, phone := range []*Phone{p, q, r} {
		phone.Until(audible)
	}
	tap.side(t, media.SideA, 5)
	require.Eventually(t, func() bool { return ear.calls.Load() >= 5 }, patience, time.Millisecond)
	require.NoError(t, room.Set([]int{1}, []int{0}, []int{0, 1}))
	converse([]*Phone{p, q, r}, 2)
	k.close(t, c)
	hears(p, q)
}

// soakReports: reports of the far end's are read, and we leave with one.
func soakReports(t *testing.T, k *Soaker) {
	t.Helper()
	s, p := k.open(t, media.StreamOptions{}), NewPhone(t, media.PCMA)
	c := newControl(t, p)
	p.Call(s, c.line())
	c.aim(s)
	require.NoError(t, s.Play(t.Context(), media.Tone(500, 2*media.FrameDuration)))
	ssrc := p.Next().SSRC
	p.Send(frame)
	c.say(c.report(block{ssrc: ssrc, lost: 3, highest: 9}))
	eventually(t, s, func(st media.Stats) bool { return st.FarLost == 3 && st.PacketsIn == 1 })
	k.close(t, s)
	c.until(func(packets map[byte][]byte) bool { return packets[farewell] != nil })
}

// soakStrangers: others send to a call's port, many sources and much that is no RTP; the call goes on.
func soakStrangers(t *testing.T, k *Soaker) {
	t.Helper()
	a, b, p, q := k.pair(t)
	unbridge, err := k.engine.Bridge(a, b, &ear{})
	require.NoError(t, err)
	defer unbridge()
	hears(p, q)
	const strangers, each = 5, 4
	for range strangers {
		stranger := NewPhone(t, media.PCMA)
		stranger.Aim(a)
		for range each {
			stranger.Send(frame)
		}
		stranger.Raw([]byte{0x80, 50, 1})
	}
	eventually(t, a, func(st media.Stats) bool { return st.Strangers == strangers*each && st.Dropped == strangers })
	hears(p, q)
}

// soakFlood: more than there is time for, of one stream and of many, and then the call goes on. What a socket's queue
// cannot hold is the system's to lose.
func soakFlood(t *testing.T, k *Soaker) {
	t.Helper()
	a, b, p, q := k.pair(t)
	unbridge, err := k.engine.Bridge(a, b, nil)
	require.NoError(t, err)
	defer unbridge()
	hears(p, q)
	before := a.Stats().PacketsIn
	for i := range 500 {
		if i%10 == 0 {
			p.SSRC++
		}
		p.Send(frame)
	}
	eventually(t, a, func(st media.Stats) bool { return st.PacketsIn >= before+100 })
	require.Equal(t, q.Number, q.Next().Payload)
}

// soakSilent: a far end that says nothing is told of.
func soakSilent(t *testing.T, k *Soaker) {
	t.Helper()
	facts := make(chan media.Fact, 64)
	s, p := k.open(t, media.StreamOptions{OnFact: func(f media.Fact) { facts <- f }}), NewPhone(t, media.PCMA)
	p.Call(s)
	playing := start(t.Context(), s, loop(500))
	untilFact(t, facts, media.FactSilent, func() {})
	k.close(t, s)
	require.ErrorIs(t, wait(t, playing), media.ErrClosed)
}

// soakGone: the far end's socket is closed in mid-call, so that what is sent to it comes back as an error.
func soakGone(t *testing.T, k *Soaker) {
	t.Helper()
	a, b, p, q := k.pair(t)
	unbridge, err := k.engine.Bridge(a, b, &ear{})
	require.NoError(t, err)
	defer unbridge()
	hears(p, q)
	require.NoError(t, q.conn.Close())
	for range 5 {
		p.Send(frame)
	}
	eventually(t, a, func(st media.Stats) bool { return st.PacketsIn >= 15 })
	unbridge()
	require.NoError(t, b.Play(t.Context(), media.Tone(500, 3*media.FrameDuration)))
}

// soakEnd: both legs and the bridge end in one instant, while both speak.
func soakEnd(t *testing.T, k *Soaker) {
	t.Helper()
	a, b, p, q := k.pair(t)
	unbridge, err := k.engine.Bridge(a, b, &ear{})
	require.NoError(t, err)
	for range 5 {
		p.Send(frame)
		q.Send(frame)
	}
	q.Until(audible)
	var ends sync.WaitGroup
	ends.Go(func() { k.close(t, a) })
	ends.Go(unbridge)
	ends.Go(func() { k.close(t, b) })
	ends.Wait()
}
