package call_test

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/media"
)

// unnamed are prompts without one that names the queue complaint, of which the digits are short.
type unnamed struct{ prompts }

func (p unnamed) Clip(name string) (media.Clip, error) {
	if name == "queue-complaint" {
		return media.Clip{}, fmt.Errorf("prompt %s: %w", name, fs.ErrNotExist)
	}
	return p.prompts.Clip(name)
}

// heardBy is what a leg heard, without music and prompts of waiting.
func heardBy(w *town, leg string) string {
	heard := slices.DeleteFunc(w.legs[leg].Stream().Played(), func(name string) bool {
		return name == "hold-music" || name == "please-wait" || name == "apology-lost" || name == "apology-late"
	})
	return strings.Join(heard, " ")
}

// While the caller hears the agent's number the agent hears the queue and the wait, all of it; they are joined when
// both have heard all. Minutes are told where they are many.
func TestWhisper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		w.x.Queues = map[string]call.QueueOptions{"repair": {WaitPrompt: "please-wait", Whisper: true}}
		w.line("call one 13912345678 queue:repair; ring one 8002")
		<-time.After(23500 * time.Millisecond)
		w.line("answer one 8002")
		<-time.After(3999 * time.Millisecond) // the number takes 3 s; the queue, the wait of two digits and the rest 3.5 s, and the notice was heard
		synctest.Wait()
		w.line("joined 1")
		w.line("end 8002@one transport")
		<-time.After(100 * time.Second)
		w.line("ring one 8003; answer one 8003")
		<-time.After(10 * time.Second)
		w.line("end caller@one bye")
		w.wg.Wait()
		require.Equal(t, "queue-repair whisper-waited 2 3 whisper-seconds", heardBy(w, "8002@one"))
		require.Equal(t, "queue-repair whisper-waited 2 whisper-minutes", heardBy(w, "8003@one"), "the whole wait")
		require.NotContains(t, w.legs["caller@one"].Stream().Played(), "queue-repair")
		r := w.books.finished(t, w.id("one"))
		require.Equal(t, 27*time.Second, r.Talks[0].Joined.Sub(w.start), "joined when the agent had heard all")
	})
}

// The alarm's ladder is said first; a queue without a prompt of its own, and no wait, are left out. Where the queue
// does not whisper, agents hear their number as callers do.
func TestWhisperOfAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		w.x.Prompts = unnamed{}
		w.desk.Queues["complaint"] = true
		w.x.Queues = map[string]call.QueueOptions{"gas-alarm": {Whisper: true}, "complaint": {Whisper: true}, "repair": {}}
		for _, queue := range []string{"gas-alarm", "complaint", "repair"} {
			w.line("call " + queue + " 13912345678 queue:" + queue)
			w.seatOf(queue).Decide(call.Decision{Rule: "alarm:skilled", Chosen: []string{"8002"}})
			w.seatOf(queue).Decide(call.Decision{Rule: "alarm:everyone", Chosen: []string{"8003"}})
			if queue != "gas-alarm" {
				w.seatOf(queue).Decide(call.Decision{Rule: "longest-idle", Chosen: []string{"8002"}})
			}
			w.line("ring " + queue + " 8002; answer " + queue + " 8002")
			<-time.After(20 * time.Second)
			w.line("joined 1; end caller@" + queue + " bye")
		}
		w.wg.Wait()
		require.Equal(t, "whisper-alarm queue-gas-alarm", heardBy(w, "8002@gas-alarm"))
		require.Equal(t, "recorded agent-number-before 8 0 0 2 agent-number-after", heardBy(w, "8002@complaint"), "nothing to be told")
		require.Equal(t, "recorded agent-number-before 8 0 0 2 agent-number-after", heardBy(w, "8002@repair"))
	})
}

// Transfers: a colleague asked for by name is told the queue too; a number outside is told of the recording only.
func TestWhisperAndNumbersOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		w.x.Queues = map[string]call.QueueOptions{"repair": {Whisper: true}}
		w.line("call one 13912345678 queue:repair; ring one 8002; answer one 8002")
		<-time.After(10 * time.Second)
		w.line("refer r 8002@one number:13900000000; rings; answers number")
		<-time.After(10 * time.Second)
		w.line("end caller@one bye")
		w.wg.Wait()
		require.Equal(t, "queue-repair", heardBy(w, "8002@one"))
		require.Equal(t, "recorded", heardBy(w, "number"))
	})
}
