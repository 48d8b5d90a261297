package call_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

// events are what the calls of a town told while it could still be acted on. A line of them has the milliseconds,
// the kind, the call, its queue, agent and number, and of what promised how much was used up.
type events struct {
	mu   sync.Mutex
	told []call.Event
}

func (e *events) tell(v call.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.told = append(e.told, v)
}

func (e *events) lines(w *town) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var b strings.Builder
	for _, v := range e.told {
		fmt.Fprintf(&b, "%d ms %s: %s queue %q agent %q from %q %s of %s%s\n", v.At.Sub(w.start).Milliseconds(), v.Kind,
			w.nameOf(v.Call), v.Queue, v.Agent, v.From, v.Elapsed, v.Target, v.Step)
	}
	for _, name := range w.names {
		if r := w.books.finished(w.t, w.id(name)); r.Holds > 0 {
			fmt.Fprintf(&b, "%s held %d times, %g s in all, %g s the longest\n", name, r.Holds, r.HoldSeconds, r.LongestHoldSeconds)
		}
	}
	for _, name := range w.legNames {
		if tones := w.legs[name].Stream().Tones(); len(tones) > 0 {
			fmt.Fprintf(&b, "%s heard %s\n", name, strings.Join(tones, ", "))
		}
	}
	return b.String()
}

// TestPromises runs the cases in testdata/promises, scripts as those of TestTransfers: the events that must come of
// them, and the tones that agents must hear.
func TestPromises(t *testing.T) {
	files, err := filepath.Glob("testdata/promises/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			require.NoError(t, err)
			require.Len(t, a.Files, 2, "a case has the files script and want")
			var got string
			synctest.Test(t, func(t *testing.T) {
				w, e := newTown(t), &events{}
				w.x.OnEvent = e.tell
				w.x.Targets.TalkWarn, w.x.Targets.Hold, w.x.Targets.Wait = 150*time.Second, 30*time.Second, 15*time.Second
				w.play(string(a.Files[0].Data))
				got = e.lines(w)
			})
			if *update {
				a.Files[1].Data = []byte(got)
				require.NoError(t, os.WriteFile(file, txtar.Format(a), 0o600))
			}
			require.Equal(t, string(a.Files[1].Data), got)
		})
	}
}

// A number that its caller asked not to be shown is in no event.
func TestEventsHideAPrivateNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, e := newTown(t), &events{}
		w.x.OnEvent = e.tell
		w.x.Targets.Wait = 15 * time.Second
		l := w.leg("caller@one")
		w.names = append(w.names, "one")
		w.wg.Go(func() {
			w.x.Serve(t.Context(), call.Incoming{
				Leg: l, At: nextOf("queue:repair"), From: "13912345678", To: "96777", Trunk: "city", Private: true, Received: time.Now(),
			})
		})
		<-time.After(16 * time.Second)
		l.End(call.Far, call.CauseBye)
		w.wg.Wait()
		require.Len(t, e.told, 1)
		require.Equal(t, call.EventWaitLong, e.told[0].Kind)
		require.Empty(t, e.told[0].From)
	})
}

// An owner who was held up in the instant at which a promise broke, and until the call's end, tells of it all the
// same, once: events and records agree.
func TestEventsAgreeWithTheRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, e := newTown(t), &events{}
		w.x.OnEvent = e.tell
		w.line("call one 13912345678 queue:repair")
		w.line("ring one 8002")
		l := w.legs["caller@one"]
		require.True(t, l.Post(call.Reoffered{
			Leg: l.ID(), At: time.Now(), Refuse: func(call.Cause) {},
			Accept: func() (bool, error) {
				<-time.After(20 * time.Second)
				l.End(call.Far, call.CauseBye)
				return false, nil
			},
		}))
		w.wg.Wait()
		require.False(t, *w.books.finished(t, w.id("one")).RingsMet)
		broken := 0
		for _, v := range e.told {
			if v.Kind == call.EventRingBroken {
				broken++
			}
		}
		require.Equal(t, 1, broken)
	})
}

// Agents who talk hear that an alarm waits; callers, and agents who are being rung or hear the number spoken, do
// not lose a word of what they hear otherwise.
func TestAlarmIsHeardByAgentsWhoTalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		w.line("call talks 13912345678 queue:repair; ring talks 8002; answer talks 8002")
		w.line("call waits 13700001111 queue:repair; ring waits 8003")
		w.line("call own by=8001 agent:8004; answer own 8004")
		<-time.After(20 * time.Second)
		w.x.PostAll(call.AlarmWaits{})
		synctest.Wait()
		w.line("end caller@talks bye; end caller@waits bye; end caller@own bye")
		w.wg.Wait()
		for name, tones := range map[string]int{"8002@talks": 1, "caller@talks": 0, "caller@waits": 0, "8004@own": 1, "caller@own": 1} {
			require.Len(t, w.legs[name].Stream().Tones(), tones, name)
		}
	})
}
