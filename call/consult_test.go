package call_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
)

// meeting is one way in which two calls meet while the consultation's owner is held up, so that what comes
// meanwhile is all there when it looks: K is the consultation, M the call with the caller.
type meeting struct {
	to     string // whom 8001 calls
	before string // doings before the owner of K is held up, which is at the next thing K shows
	held   string // what has K show something, and is held up in it
	during string // doings while it is
	want   func(t *testing.T, w *town)
}

// TestMeetings: the instants in which the asking call, the consultation and their parties are between two
// states, one after the other.
func TestMeetings(t *testing.T) {
	const ask = "refer r 8001@M queue:repair replaces=caller@K"
	told := func(s ...string) func(*testing.T, *town) {
		return func(t *testing.T, w *town) {
			t.Helper()
			require.Equal(t, s, w.told["r"].Told())
		}
	}
	lastTalk := func(t *testing.T, w *town, name string) call.Record {
		t.Helper()
		for _, l := range w.x.Live() {
			if l.Record.ID == w.id(name) {
				return l.Record
			}
		}
		t.Fatalf("call %s is over", name)
		return call.Record{}
	}
	for name, m := range map[string]meeting{
		"agent leaves, party comes": {
			to: "agent:8002", before: "answer K 8002", held: "hold caller@K", during: ask + "; end 8001@M bye; hears caller@M hold-music",
			want: func(t *testing.T, w *town) {
				t.Helper()
				t.Helper()
				told("accepted", "done")(t, w)
				r := lastTalk(t, w, "M")
				require.Equal(t, "8002", r.Talks[1].Agent)
				require.Equal(t, call.BySystem, r.Talks[0].Release, "handing over is no hang-up")
			},
		},
		"agent leaves, target is a menu": {
			to: "menu:main", held: "", during: ask + "; end 8001@M bye",
			want: func(t *testing.T, w *town) {
				t.Helper()
				t.Helper()
				told("accepted", "done")(t, w)
				require.Equal(t, "welcome", w.legs["caller@M"].Stream().Playing())
			},
		},
		"agent leaves both": {
			to: "agent:8002", held: "", during: ask + "; end 8001@M bye; end caller@K cancel",
			want: func(t *testing.T, w *town) {
				t.Helper()
				require.Equal(t, "accepted", w.told["r"].Told()[0])
				require.Len(t, lastTalk(t, w, "M").Talks, 1, "in a queue, or waiting for the one wanted")
			},
		},
		"agent leaves the consultation": {
			to: "agent:8002", before: "answer K 8002", held: "hold caller@K", during: ask + "; end 8002@K transport; end caller@K bye",
			want: func(t *testing.T, w *town) {
				t.Helper()
				t.Helper()
				told("accepted", "failed unreachable")(t, w)
				require.Equal(t, 1, w.bridge.Joined(), "the agent and the caller talk on")
			},
		},
		"caller leaves, party stays": {
			to: "agent:8002", before: "answer K 8002", held: "hold caller@K", during: ask + "; end caller@M bye",
			want: func(t *testing.T, w *town) {
				t.Helper()
				t.Helper()
				told("accepted", "failed cancel")(t, w)
				w.line("resume caller@K")
				require.Equal(t, 1, w.bridge.Joined(), "the agents talk on")
			},
		},
		"caller leaves, the one wanted is rung again": {
			to: "agent:8002", held: "ring K 8002", during: ask + "; end caller@M bye",
			want: func(t *testing.T, w *town) {
				t.Helper()
				t.Helper()
				told("accepted", "failed cancel")(t, w)
				require.Equal(t, w.id("K"), w.desk.Seats()[len(w.desk.Seats())-1].Ticket.CallID)
				require.Len(t, w.desk.Seats(), 3)
			},
		},
		"caller leaves, the number is called again": {
			to: "number:13800138000", held: "", during: ask + "; end caller@M bye",
			want: func(t *testing.T, w *town) {
				t.Helper()
				t.Helper()
				told("accepted", "failed cancel")(t, w)
				require.NoError(t, w.legs["caller@K"].Context().Err())
				require.NotEmpty(t, w.dialer.Asked())
			},
		},
		"caller leaves, the menu goes on": {
			to: "menu:main", held: "", during: ask + "; end caller@M bye",
			want: func(t *testing.T, w *town) {
				t.Helper()
				require.Equal(t, "recorded", w.legs["caller@K"].Stream().Playing())
			},
		},
		"party answers in the instant": {
			to: "agent:8002", held: "ring K 8002", during: ask + "; answer K 8002",
			want: func(t *testing.T, w *town) {
				t.Helper()
				t.Helper()
				told("accepted", "done")(t, w)
				require.Equal(t, "8002", lastTalk(t, w, "M").Talks[1].Agent)
			},
		},
		"party answers in the instant, caller leaves": {
			to: "agent:8002", held: "ring K 8002", during: ask + "; answer K 8002; end caller@M bye",
			want: func(t *testing.T, w *town) {
				t.Helper()
				require.NoError(t, w.legs["8002@K"].Context().Err())
				require.Equal(t, 1, w.bridge.Joined())
			},
		},
		"party answers in the instant, agent leaves the consultation": {
			to: "agent:8002", held: "ring K 8002", during: ask + "; answer K 8002; end caller@K cancel",
			want: func(t *testing.T, w *town) {
				t.Helper()
				require.Equal(t, "accepted", w.told["r"].Told()[0])
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 { // of several things that are there, either may be seen first
				synctest.Test(t, func(t *testing.T) { m.play(t) })
			}
		})
	}
}

func (m meeting) play(t *testing.T) {
	t.Helper()
	w := newTown(t)
	doing := func(s string) {
		if s != "" {
			w.line(s)
		}
	}
	doing("call M 13912345678 queue:repair")
	doing("answer M 8001")
	<-time.After(7 * time.Second)
	var open func()
	if m.held == "" { // at its very beginning
		open = w.books.shut()
		doing("call K by=8001 " + m.to)
	} else {
		doing("call K by=8001 " + m.to)
		doing(m.before)
		open = w.books.shut()
		doing(m.held)
	}
	doing(m.during)
	open()
	synctest.Wait()
	require.NoError(t, w.owned())
	m.want(t, w)
	require.NoError(t, w.rest())
}

// crossingDialer reaches every number as soon as it is taken back, or at once.
type crossingDialer struct {
	leg     *calltest.Leg
	atOnce  bool
	dialled chan struct{}
}

func (d crossingDialer) Dial(ctx context.Context, _ call.DialRequest) (call.Leg, error) {
	select {
	case <-d.dialled:
		return nil, &call.RingError{Why: call.CauseUnreachable}
	default:
		close(d.dialled)
	}
	if !d.atOnce {
		<-ctx.Done()
	}
	return d.leg, nil
}

// TestDialledAnswerCrosses: a number outside answers in the instant in which it is taken back. For a call
// that is over it is hung up; the call that asked for it has it.
func TestDialledAnswerCrosses(t *testing.T) {
	for name, c := range map[string]struct {
		during string
		atOnce bool
		late   bool // the number is being called by then
		legUp  bool
	}{
		"given up":                 {"end caller@K cancel", false, true, false},
		"given up before":          {"end caller@K cancel", false, false, false},
		"asked for":                {"refer r 8001@M number:138 replaces=caller@K", false, true, true},
		"asked for at once":        {"refer r 8001@M number:138 replaces=caller@K", true, false, true},
		"asked for and not taken":  {"refer r 8001@M number:138 replaces=caller@K; end caller@M bye", false, false, true},
		"asked for, then given up": {"refer r 8001@M number:138 replaces=caller@K; end caller@K cancel", false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			for range 10 {
				synctest.Test(t, func(t *testing.T) {
					w := newTown(t)
					out, dialled := calltest.NewLeg("out"), make(chan struct{})
					w.x.Dialer = crossingDialer{leg: out, atOnce: c.atOnce, dialled: dialled}
					w.line("call M 13912345678 queue:repair")
					w.line("answer M 8001")
					<-time.After(7 * time.Second)
					open := w.books.shut()
					w.line("call K by=8001 number:138")
					if c.late {
						open()
						synctest.Wait()
						w.line(c.during)
					} else {
						w.line(c.during)
						open()
					}
					synctest.Wait()
					require.NoError(t, w.owned())
					if c.legUp {
						require.NoError(t, out.Context().Err())
						require.True(t, out.Post(call.KeyPressed{}))
					}
					require.NoError(t, w.rest())
					select {
					case <-dialled:
						require.Error(t, out.Context().Err(), "left up")
					default: // given up before the number was called
					}
				})
			}
		})
	}
}

// TestTransfersAreBounded: a phone that asks again and again is refused in the end, and cannot make a call
// remember more.
func TestTransfersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		w.line("call M 13912345678 queue:repair")
		w.line("answer M 8001")
		<-time.After(7 * time.Second)
		for range 40 {
			w.line("refer r 8001@M agent:8002")
			if w.hasSeat("M") && w.seatOf("M").Ticket.Once {
				w.seatOf("M").Fail(call.CauseBusy)
			}
			synctest.Wait()
		}
		require.Equal(t, []string{"refused overload"}, w.told["r"].Told())
		require.Len(t, w.x.Live()[0].Record.Transfers, 32)
		w.legs["caller@M"].End(call.Far, call.CauseBye)
		w.wg.Wait()
	})
}

// TestNoDialler: without one, no number outside is called.
func TestNoDialler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		w.x.Dialer = nil
		w.line("call K by=8001 number:138")
		w.line("call M 13912345678 queue:repair")
		w.line("answer M 8001")
		<-time.After(7 * time.Second)
		w.line("refer r 8001@M number:138; end caller@M bye")
		w.wg.Wait()
		require.Equal(t, call.ReasonForbidden, w.books.finished(t, w.id("K")).Reason)
		require.Equal(t, []string{"refused forbidden"}, w.told["r"].Told())
	})
}

// brokenDialer has a fault.
type brokenDialer struct{}

func (brokenDialer) Dial(context.Context, call.DialRequest) (call.Leg, error) {
	panic("a dialler with a fault")
}

// TestDiallerPanics: a fault of the dialler costs the one try; a transfer comes back to its agent.
func TestDiallerPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		w.x.Dialer = brokenDialer{}
		w.line("call M 13912345678 queue:repair")
		w.line("answer M 8001")
		<-time.After(7 * time.Second)
		w.line("refer r 8001@M number:138")
		require.Equal(t, []string{"accepted", "failed error"}, w.told["r"].Told())
		require.Equal(t, 1, w.bridge.Joined())
		require.Equal(t, 1, w.panics)
		w.line("end caller@M bye")
		w.wg.Wait()
	})
}

// TestNumberRingsForever: a trunk that died after its 18x says nothing any more, and the try is over all the same.
func TestNumberRingsForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		w.line("call M 13912345678 queue:repair")
		w.line("answer M 8001")
		<-time.After(7 * time.Second)
		w.line("refer r 8001@M number:13800138000")
		w.line("rings")
		<-time.After(10 * time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"accepted", "ringing", "failed no-answer"}, w.told["r"].Told())
		require.Equal(t, 1, w.bridge.Joined(), "the agent and the caller talk on")
		require.NoError(t, w.rest())
	})
}
