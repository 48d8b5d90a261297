package mediatest

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// SoakTimeout is the Options.Timeout of an engine that is soaked: some of its calls wait until it is over.
const SoakTimeout = time.Second

// Soaker has calls of every kind come and go on one engine.
type Soaker struct {
	engine media.Engine
	rest   time.Duration

	// Calls and Reused are how many calls there were, and how many of their ports had been another's before.
	Calls, Reused atomic.Int64

	mu     sync.Mutex
	opened map[uint16]media.Stream // by port
	closed map[uint16]time.Time    // ports, when they were last about to be closed
}

// NewSoaker is a Soaker of an engine that has SoakTimeout, and lets ports rest so long.
func NewSoaker(e media.Engine, rest time.Duration) *Soaker {
	return &Soaker{engine: e, rest: rest, opened: make(map[uint16]media.Stream), closed: make(map[uint16]time.Time)}
}

// kinds are the calls of a soak. Each closes all that it opens by its test's end.
var kinds = map[string]func(t *testing.T, k *Soaker){
	"bridged and recorded":  soakBridge,
	"encrypted":             soakSecure,
	"prompts and keys":      soakPrompts,
	"mixed":                 soakRoom,
	"reports":               soakReports,
	"strangers and rubbish": soakStrangers,
	"a flood":               soakFlood,
	"silent":                soakSilent,
	"a phone that is gone":  soakGone,
	"ended by all at once":  soakEnd,
}

// Run has so many at once call, one call after another, until ctx is done. Each begins with another kind. Called
// again, it goes on counting.
func (k *Soaker) Run(ctx context.Context, t *testing.T, atOnce int) {
	t.Helper()
	names := slices.Sorted(maps.Keys(kinds))
	var all sync.WaitGroup
	for worker := range atOnce {
		all.Go(func() {
			for turn := worker; turn < worker+len(names) || ctx.Err() == nil; turn++ {
				name := names[turn%len(names)]
				if !t.Run(name, func(t *testing.T) { kinds[name](t, k) }) {
					return
				}
				k.Calls.Add(1)
			}
		})
	}
	all.Wait()
}

// open opens a stream that is closed with the test. While all ports rest it waits; one that comes before its rest is over
// fails the test.
func (k *Soaker) open(t *testing.T, o media.StreamOptions) media.Stream {
	t.Helper()
	var s media.Stream
	var err error
	require.Eventually(t, func() bool {
		s, err = k.engine.Open(o)
		return !errors.Is(err, media.ErrNoPorts)
	}, patience, k.rest/10)
	require.NoError(t, err)
	now, port := time.Now(), s.Local().Port()
	k.mu.Lock()
	defer k.mu.Unlock()
	if before, used := k.closed[port]; used {
		require.GreaterOrEqual(t, now.Sub(before), k.rest, "port %d is used again", port)
		k.Reused.Add(1)
	}
	k.opened[port] = s
	t.Cleanup(func() { k.close(t, s) })
	return s
}

// close closes a stream; the second time it does nothing.
func (k *Soaker) close(t *testing.T, s media.Stream) {
	t.Helper()
	k.mu.Lock()
	if port := s.Local().Port(); k.opened[port] == s {
		delete(k.opened, port)
		k.closed[port] = time.Now()
	}
	k.mu.Unlock()
	require.NoError(t, s.Close())
}

// pair is two streams with a phone at each, one of either law.
func (k *Soaker) pair(t *testing.T) (a, b media.Stream, p, q *Phone) {
	t.Helper()
	a, b = k.open(t, media.StreamOptions{}), k.open(t, media.StreamOptions{})
	p, q = NewPhone(t, media.PCMA), NewPhone(t, media.PCMU)
	p.Call(a)
	q.Call(b)
	return a, b, p, q
}

// hears has one phone say something until another hears it.
func hears(p, q *Phone) {
	p.t.Helper()
	for range 10 {
		p.Send(coded(frame, p.Codec))
		q.Until(audible)
	}
}

// soakBridge: both ways, on a recording, with a key, a hold, and an end by either leg or the bridge.
func soakBridge(t *testing.T, k *Soaker) {
	t.Helper()
	a, b, p, q := k.pair(t)
	tap := &ear{}
	unbridge, err := k.engine.Bridge(a, b, tap)
	require.NoError(t, err)
	hears(p, q)
	hears(q, p)
	p.Press(5, 6, nil)
	q.Until(func(k Packet) bool { return k.Payload == q.Event && k.Audio[1]&0x80 != 0 })
	q.Call(b, "a=sendonly")
	p.Say(media.Tone(700, 3*media.FrameDuration))
	q.Call(b)
	hears(p, q)
	tap.side(t, media.SideA, 20)
	tap.side(t, media.SideB, 10)
	switch rand.IntN(3) {
	case 0:
		unbridge()
		require.NoError(t, a.Play(t.Context(), media.Tone(500, 3*media.FrameDuration)))
	case 1:
		k.close(t, a)
	}
}

// soakSecure: one leg encrypted, with a new key in between, and packets of SSRCs that nobody has authenticated.
func soakSecure(t *testing.T, k *Soaker) {
	t.Helper()
	suite := []string{SuiteGCM, SuiteCM}[rand.IntN(2)]
	a, p := k.open(t, media.StreamOptions{Secure: media.SecurityRequired}), NewPhone(t, media.PCMA)
	p.CallSecure(a, NewKey("1", suite))
	b, q := k.open(t, media.StreamOptions{}), NewPhone(t, media.PCMU)
	q.Call(b)
	unbridge, err := k.engine.Bridge(a, b, &ear{})
	require.NoError(t, err)
	defer unbridge()
	hears(p, q)
	hears(q, p)
	const forged = 50
	for range forged {
		packet := append(p.header(p.Number, false, p.Timestamp), make([]byte, 180)...)
		binary.BigEndian.PutUint32(packet[8:], rand.Uint32())
		p.Raw(packet)
	}
	eventually(t, a, func(st media.Stats) bool { return st.Unauthentic == forged })
	p.CallSecure(a, NewKey("2", suite))
	hears(p, q)
}

// soakPrompts: prompts to their end and cut short, keys both ways, and a tone over them.
func soakPrompts(t *testing.T, k *Soaker) {
	t.Helper()
	s, p := k.open(t, media.StreamOptions{}), NewPhone(t, media.PCMA)
	p.Call(s)
	told := keys(s)
	require.NoError(t, s.Play(t.Context(), media.Tone(500, 3*media.FrameDuration)))
	p.Until(audible)
	ctx, cancel := context.WithCancelCause(t.Context())
	playing := start(ctx, s, loop(500))
	s.Tone(media.Tone(900, 2*media.FrameDuration))
	p.Press(1, 6, nil)
	require.Equal(t, "1", pressed(t, told, 1))
	cancel(errBargeIn)
	require.ErrorIs(t, wait(t, playing), errBargeIn)
	s.Press('2') // by another method than the first: not told
	s.OnKey(nil)
	require.NoError(t, s.SendKey(t.Context(), '7'))
	if rand.IntN(2) == 0 {
		playing = start(t.Context(), s, loop(500))
		p.Until(audible)
		k.close(t, s)
		err := wait(t, playing)
		require.ErrorIs(t, err, media.ErrClosed)
	}
}
