package call_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
	"hotline/media"
)

// reel is a Recorder that keeps its recordings apart. Its calls' owners use it, and a test once they are done.
type reel struct {
	strips []*strip
	unread error
}

type strip struct {
	name              string
	closed, discarded bool
	unread            error
}

func (r *reel) Start(string, time.Time) (call.Recording, error) {
	s := &strip{unread: r.unread, name: fmt.Sprintf("strip-%d", len(r.strips)+1)}
	r.strips = append(r.strips, s)
	return s, nil
}

func (s *strip) Frame(media.Frame)     {}
func (s *strip) Name() string          { return s.name }
func (s *strip) Close(time.Time) error { s.closed = true; return nil }
func (s *strip) Discard() error        { s.discarded = true; return nil }
func (s *strip) Said() (media.Clip, error) {
	return media.Clip{Name: s.name, ALaw: make([]byte, 3*media.SampleRate)}, s.unread
}

// inBooth has a caller walk a menu that takes messages, while do acts as they do; it begins after the first beep.
func inBooth(t *testing.T, r *reel, walk func(ctx context.Context, l call.Line) (call.Next, error), do func(w *wire, l *calltest.Leg)) (call.Record, *calltest.Leg) {
	t.Helper()
	s, w := newStage(t), &wire{}
	s.x.Menus, s.x.Listener, s.x.Recorder = scene{"main": walk}, w, r
	leg := calltest.NewLeg("caller")
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.x.Serve(t.Context(), call.Incoming{Leg: leg, At: call.Next{Kind: call.Menu, Menu: "main"}, Received: time.Now()})
	}()
	s.at(2300 * time.Millisecond)
	do(w, leg)
	<-done
	return s.records.finished(t), leg
}

// taking is how the messages of these tests are taken.
func taking(again bool) call.MessageOptions {
	return call.MessageOptions{Queue: "repair", Max: time.Minute, Silence: 5 * time.Second, End: '#', Again: again}
}

var informed = call.DoneWith(call.Informed, call.ReasonMenu)

// TestNoMessageLeavesNoFile: less than a second is no message, and nothing of it stays.
func TestNoMessageLeavesNoFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reel := &reel{}
		r, _ := inBooth(t, reel, func(ctx context.Context, l call.Line) (call.Next, error) {
			require.ErrorIs(t, l.Leave(ctx, taking(false)), call.ErrNoMessage)
			return informed, nil
		}, func(w *wire, l *calltest.Leg) {
			w.say(500*time.Millisecond, true)
			l.Stream().Press('#')
		})
		require.Nil(t, r.Message)
		require.Len(t, reel.strips, 1)
		require.True(t, reel.strips[0].discarded)
	})
}

// TestMessageHeard: a message is played to who left it, until a key; one that cannot be read is kept all the same.
func TestMessageHeard(t *testing.T) {
	for name, c := range map[string]struct {
		unread error
		heard  bool
		after  time.Duration // the key, from the end of the message
		key    media.Key
	}{
		"cut short":  {heard: true, after: time.Second, key: '1'},
		"to its end": {heard: true, after: 3500 * time.Millisecond, key: '1'},
		"unreadable": {unread: errors.New("no disk"), after: 500 * time.Millisecond, key: '1'},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var key media.Key
				reel := &reel{unread: c.unread}
				r, leg := inBooth(t, reel, func(ctx context.Context, l call.Line) (call.Next, error) {
					require.NoError(t, l.Leave(ctx, taking(false)))
					var err error
					key, err = l.Hear(ctx, 6*time.Second, "voicemail-review")
					return informed, err
				}, func(w *wire, l *calltest.Leg) {
					w.say(3*time.Second, true)
					l.Stream().Press('#')
					time.Sleep(c.after)
					l.Stream().Press('1')
				})
				require.Equal(t, c.key, key)
				require.NotNil(t, r.Message)
				require.Equal(t, c.heard, slices.Contains(leg.Stream().Played(), "strip-1"))
				require.Equal(t, name != "cut short", slices.Contains(leg.Stream().Played(), "voicemail-review"))
				require.True(t, reel.strips[0].closed)
				require.False(t, reel.strips[0].discarded)
			})
		})
	}
}

// TestMessageAgain: one that is left anew takes the place of the one before, whose file goes; where nothing comes of it,
// the one before stays, and is found all the while.
func TestMessageAgain(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(w *wire, l *calltest.Leg)
		kept string
		gone []bool
	}{
		"replaced": {func(w *wire, l *calltest.Leg) {
			w.say(4*time.Second, true)
			l.Stream().Press('#')
		}, "strip-2", []bool{true, false}},
		"too short": {func(w *wire, l *calltest.Leg) {
			w.say(500*time.Millisecond, true)
			l.Stream().Press('#')
		}, "strip-1", []bool{false, true}},
		"hung up at once": {func(_ *wire, l *calltest.Leg) { l.End(call.Far, call.CauseBye) }, "strip-1", []bool{false, true}},
		"hung up after it": {func(w *wire, l *calltest.Leg) {
			w.say(2*time.Second, true)
			l.End(call.Far, call.CauseBye)
		}, "strip-2", []bool{true, false}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reel := &reel{}
				r, _ := inBooth(t, reel, func(ctx context.Context, l call.Line) (call.Next, error) {
					require.NoError(t, l.Leave(ctx, taking(false)))
					err := l.Leave(ctx, taking(true))
					if errors.Is(err, call.ErrNoMessage) {
						err = nil
					}
					return informed, err
				}, func(w *wire, l *calltest.Leg) {
					w.say(3*time.Second, true)
					l.Stream().Press('#')
					time.Sleep(500 * time.Millisecond) // the beep
					synctest.Wait()
					c.do(w, l)
				})
				require.Equal(t, call.Message, r.Result)
				require.Equal(t, c.kept, r.Message.Name)
				require.Positive(t, r.Message.Seconds)
				gone := []bool{reel.strips[0].discarded, reel.strips[1].discarded}
				require.Equal(t, c.gone, gone)
			})
		})
	}
}

// TestSecondMessage: a message that is left after another, and does not take its place, is one more; one of which nothing
// comes leaves all as it was. All are in the record, and so is one that a crash cuts off.
func TestSecondMessage(t *testing.T) {
	for name, c := range map[string]struct {
		says time.Duration
		want []string
	}{
		"left":      {4 * time.Second, []string{"strip-1", "strip-2"}},
		"too short": {500 * time.Millisecond, []string{"strip-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reel := &reel{}
				r, _ := inBooth(t, reel, func(ctx context.Context, l call.Line) (call.Next, error) {
					require.NoError(t, l.Leave(ctx, taking(false)))
					if err := l.Leave(ctx, taking(false)); !errors.Is(err, call.ErrNoMessage) {
						return informed, err
					}
					return informed, nil
				}, func(w *wire, l *calltest.Leg) {
					w.say(3*time.Second, true)
					l.Stream().Press('#')
					time.Sleep(500 * time.Millisecond) // the beep
					synctest.Wait()
					w.say(c.says, true)
					l.Stream().Press('#')
				})
				require.Equal(t, c.want, names(&r))
				require.Equal(t, c.want[len(c.want)-1], r.Message.Name)
				for i, m := range r.Messages() {
					require.Positive(t, m.Seconds)
					require.False(t, reel.strips[i].discarded)
				}
			})
		})
	}
}

// names are those of a record's messages.
func names(r *call.Record) (names []string) {
	for _, m := range r.Messages() {
		names = append(names, m.Name)
	}
	return names
}

// TestMessagesAreBounded: a caller who goes on leaving messages is told at some time that no more are kept; the last may
// be left anew all the same.
func TestMessagesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reel := &reel{}
		r, _ := inBooth(t, reel, func(ctx context.Context, l call.Line) (call.Next, error) {
			for range call.MaxMessages {
				require.NoError(t, l.Leave(ctx, taking(false)))
			}
			require.ErrorIs(t, l.Leave(ctx, taking(false)), call.ErrNotKept)
			return informed, l.Leave(ctx, taking(true))
		}, func(w *wire, l *calltest.Leg) {
			for range call.MaxMessages + 1 {
				w.say(2*time.Second, true)
				l.Stream().Press('#')
				time.Sleep(500 * time.Millisecond) // the beep
				synctest.Wait()
			}
		})
		require.Len(t, r.Messages(), call.MaxMessages)
		require.Len(t, reel.strips, call.MaxMessages+1)
		require.Equal(t, reel.strips[call.MaxMessages].name, r.Message.Name)
		require.True(t, reel.strips[call.MaxMessages-1].discarded)
	})
}
