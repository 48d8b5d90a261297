package call_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
	"hotline/media"
)

// wire is a Listener into which a test speaks.
type wire struct {
	mu  sync.Mutex
	tap media.Tap
	err error
}

func (w *wire) Listen(_ media.Stream, tap media.Tap) (func(), error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tap = tap
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.tap = nil
	}, w.err
}

// say speaks for so long, loud or not.
func (w *wire) say(d time.Duration, loud bool) {
	frame := media.Tone(440, media.FrameDuration).ALaw
	if !loud {
		frame = media.Tone(0, media.FrameDuration).ALaw
	}
	for range d / media.FrameDuration {
		time.Sleep(media.FrameDuration)
		w.mu.Lock()
		if w.tap != nil {
			w.tap.Frame(media.Frame{At: time.Now(), ALaw: frame})
		}
		w.mu.Unlock()
	}
}

// takes is a menu that takes a message, twice if the first was none.
type takes struct{ got []error }

func (m *takes) Walk(ctx context.Context, l call.Line, _ string) (call.Next, error) {
	err := l.Leave(ctx, call.MessageOptions{Queue: "repair", Max: time.Minute, Silence: 5 * time.Second, End: '#'})
	m.got = append(m.got, err)
	if err != nil && !errors.Is(err, call.ErrNoMessage) && !errors.Is(err, call.ErrNotKept) {
		return call.Next{}, err
	}
	return call.DoneWith(call.Informed, call.ReasonMenu), nil
}

// TestMessage: how a message ends, and what is kept of it.
func TestMessage(t *testing.T) {
	for name, c := range map[string]struct {
		do      func(w *wire, l *calltest.Leg)
		seconds float64 // 0: there is no message
		end     call.End
		err     error
	}{
		"by the key": {func(w *wire, l *calltest.Leg) {
			w.say(3*time.Second, true)
			press(l, "1#", 0)
		}, 3, call.End{Result: call.Message, Reason: call.ReasonMenu}, nil},
		"by silence": {func(w *wire, _ *calltest.Leg) {
			w.say(3*time.Second, true)
			w.say(6*time.Second, false)
		}, 8, call.End{Result: call.Message, Reason: call.ReasonMenu}, nil},
		"by its length": {
			func(w *wire, _ *calltest.Leg) { w.say(61*time.Second, true) }, 60,
			call.End{Result: call.Message, Reason: call.ReasonMenu},
			nil,
		},
		"by hanging up": {func(w *wire, l *calltest.Leg) {
			w.say(3*time.Second, true)
			l.End(call.Far, call.CauseBye)
		}, 3, call.End{Result: call.Message, Reason: call.ReasonCallerHangup}, &call.LegEnd{}},
		"too short": {func(w *wire, l *calltest.Leg) {
			w.say(900*time.Millisecond, true)
			press(l, "#", 0)
		}, 0, call.End{Result: call.Informed, Reason: call.ReasonMenu}, call.ErrNoMessage},
		"hung up at once": {
			func(_ *wire, l *calltest.Leg) { l.End(call.Far, call.CauseBye) }, 0,
			call.End{Result: call.Abandoned, Reason: call.ReasonCallerHangup},
			&call.LegEnd{},
		},
		"nothing said": {
			func(w *wire, _ *calltest.Leg) { w.say(6*time.Second, false) }, 0,
			call.End{Result: call.Informed, Reason: call.ReasonMenu},
			call.ErrNoMessage,
		},
		"not to be heard": {
			func(w *wire, _ *calltest.Leg) {}, 0,
			call.End{Result: call.Failed, Reason: call.ReasonNoPrompt},
			media.ErrClosed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, menu, w := newStage(t), &takes{}, &wire{}
				if errors.Is(c.err, media.ErrClosed) {
					w.err = c.err
				}
				s.x.Menus, s.x.Listener = menu, w
				leg := calltest.NewLeg("caller")
				done := make(chan struct{})
				go func() {
					defer close(done)
					s.x.Serve(context.Background(), call.Incoming{Leg: leg, At: call.Next{Kind: call.Menu, Menu: "main"}, Received: time.Now()})
				}()
				time.Sleep(2300 * time.Millisecond) // the notice of recording, since nothing was said before, and the beep
				synctest.Wait()
				if w.err == nil {
					require.NotNil(t, s.x.Live()[0].Record.Message, "found should the process die now")
				}
				c.do(w, leg)
				<-done
				r := s.records.finished(t)
				ended := call.End{Result: r.Result, Reason: r.Reason}
				require.Equal(t, c.end, ended)
				if target := (*call.LegEnd)(nil); errors.As(c.err, &target) {
					require.ErrorAs(t, menu.got[0], &target)
				} else {
					require.ErrorIs(t, menu.got[0], c.err)
				}
				if c.seconds == 0 {
					require.Nil(t, r.Message)
					return
				}
				require.Equal(t, "repair", r.Message.Queue)
				require.NotEmpty(t, r.Message.Name)
				require.InDelta(t, c.seconds, r.Message.Seconds, 0.2)
				require.Empty(t, r.Recording)
			})
		})
	}
}

// Who holds us while the notice of recording is played has not been told, and is not recorded.
func TestMessageNoticeNotHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, menu := newStage(t), &takes{}
		s.x.Menus, s.x.Listener = menu, &wire{}
		leg := calltest.NewLeg("caller")
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.x.Serve(t.Context(), call.Incoming{Leg: leg, At: call.Next{Kind: call.Menu, Menu: "main"}, Received: time.Now()})
		}()
		synctest.Wait()
		require.True(t, <-leg.Reoffer(true))
		time.Sleep(2100 * time.Millisecond)
		require.True(t, <-leg.Reoffer(false))
		<-done
		require.ErrorIs(t, menu.got[0], call.ErrNoMessage)
		require.Equal(t, "nothing", s.rec.tell(s))
	})
}

// Without a recorder, or anything to listen with, there is no beep.
func TestMessageNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, menu := newStage(t), &takes{}
		s.x.Menus = menu
		leg := calltest.NewLeg("caller")
		s.x.Serve(t.Context(), call.Incoming{Leg: leg, At: call.Next{Kind: call.Menu, Menu: "main"}, Received: time.Now()})
		require.ErrorIs(t, menu.got[0], call.ErrNotKept)
		require.Empty(t, leg.Stream().Played())
	})
}
