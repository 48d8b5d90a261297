package calltest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/media"
)

// Rig is one incoming leg under test and its far end's hands.
type Rig struct {
	Leg call.Leg
	// FarHangup has the far end hang up an answered leg.
	FarHangup func()
	// FarKey has the far end press a key.
	FarKey func(media.Key)
}

// suiteWait bounds how long a real peer may take.
const suiteWait = 10 * time.Second

// SuiteLeg is what every call.Leg must do, the scripted one and the real one. rig makes a fresh leg that
// came in and is not answered.
func SuiteLeg(t *testing.T, rig func(t *testing.T) Rig) {
	t.Helper()
	t.Run("far end hangs up", func(t *testing.T) { farHangup(t, rig(t)) })
	t.Run("we hang up, twice", func(t *testing.T) { hangup(t, rig(t)) })
	t.Run("answered twice is answered once", func(t *testing.T) { answer(t, rig(t)) })
	t.Run("commands go to the last owner only", func(t *testing.T) { owners(t, rig(t)) })
}

func farHangup(t *testing.T, r Rig) {
	t.Helper()
	require.NotEmpty(t, r.Leg.ID())
	_, over := call.EndOf(r.Leg)
	require.False(t, over, "a fresh leg is up")
	_, err := r.Leg.Answer()
	require.NoError(t, err)
	before := time.Now()
	r.FarHangup()
	end := ended(t, r.Leg)
	require.Equal(t, call.Far, end.By)
	require.Equal(t, call.CauseBye, end.Why)
	require.False(t, end.At.Before(before), "ended by a packet that came after")
	require.ErrorIs(t, r.Leg.Audio().Play(context.Background(), media.Clip{ALaw: make([]byte, 160)}), media.ErrClosed)
	_, err = r.Leg.Answer()
	require.Error(t, err, "what has ended cannot be answered")
}

func hangup(t *testing.T, r Rig) {
	t.Helper()
	_, err := r.Leg.Answer()
	require.NoError(t, err)
	r.Leg.Hangup(call.CauseBye)
	r.Leg.Hangup(call.CauseError)
	end := ended(t, r.Leg)
	require.Equal(t, call.System, end.By)
	require.Equal(t, call.CauseBye, end.Why, "the first counts")
}

func answer(t *testing.T, r Rig) {
	t.Helper()
	require.NoError(t, r.Leg.Ring())
	require.NoError(t, r.Leg.Ring(), "ringing again is allowed")
	first, err := r.Leg.Answer()
	require.NoError(t, err)
	second, err := r.Leg.Answer()
	require.NoError(t, err)
	require.Equal(t, first, second)
	r.Leg.Hangup(call.CauseBye)
}

func owners(t *testing.T, r Rig) {
	t.Helper()
	_, err := r.Leg.Answer()
	require.NoError(t, err)
	old, next := make(chan call.Command, 8), make(chan call.Command, 8)
	mailbox := func(c chan call.Command) func(call.Command) bool {
		return func(cmd call.Command) bool { c <- cmd; return true }
	}
	r.Leg.Attach(mailbox(old))
	r.FarKey('5')
	require.Equal(t, media.Key('5'), key(t, r.Leg, old))
	r.Leg.Attach(mailbox(next))
	r.FarKey('6')
	require.Equal(t, media.Key('6'), key(t, r.Leg, next))
	require.Empty(t, old, "the old owner gets nothing any more")
	r.Leg.Attach(nil)
	r.FarKey('7')
	r.Leg.Hangup(call.CauseBye)
	require.Empty(t, next)
}

func key(t *testing.T, l call.Leg, from <-chan call.Command) media.Key {
	t.Helper()
	select {
	case cmd := <-from:
		k, ok := cmd.(call.KeyPressed)
		require.True(t, ok, "a key: %T", cmd)
		require.Equal(t, l.ID(), k.Leg)
		return k.Key
	case <-time.After(suiteWait):
		t.Fatal("no key came")
		return 0
	}
}

func ended(t *testing.T, l call.Leg) call.LegEnd {
	t.Helper()
	select {
	case <-l.Context().Done():
	case <-time.After(suiteWait):
		t.Fatal("the leg did not end")
	}
	end, _ := call.EndOf(l)
	return end
}
