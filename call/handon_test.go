package call_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// Whoever is rung for one who was handed on sees that one, not who called; after a transfer that failed who called is
// the caller again, and hangs up as one.
func TestHandedOnIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		w.line("call K by=8001 agent:8002; answer K 8002")
		w.line("refer r caller@K agent:8003")
		require.Equal(t, "8002", w.seatOf("K").Ticket.From)
		w.line("fail K busy; end caller@K bye")
		w.line("call L by=8001 number:138; answers out@L")
		<-time.After(7 * time.Second)
		w.line("refer s caller@L agent:8003")
		require.Equal(t, "138", w.seatOf("L").Ticket.From)
		w.line("end out@L bye")
		w.wg.Wait()
		k := w.books.finished(t, w.id("K"))
		require.Equal(t, call.ReasonCallerHangup, k.Reason)
		require.Equal(t, "8001", k.From)
		w.requireRest()
	})
}

// A phone that hangs up as soon as it has asked has asked first, also where it made the call: its BYE may be seen
// before the wish is.
func TestMakerAsksAndHangsUp(t *testing.T) {
	for range 20 { // of several things that are there, either may be seen first
		synctest.Test(t, func(t *testing.T) {
			w := newTown(t)
			w.line("call K by=8001 agent:8002; answer K 8002")
			w.asks(w.legs["caller@K"], call.Next{Kind: call.Wait, Agent: "8003", Once: true}, "")
			w.legs["caller@K"].End(call.Far, call.CauseBye)
			synctest.Wait()
			w.line("answer K 8003; joined 1; end 8003@K bye")
			w.wg.Wait()
			require.Equal(t, []string{"accepted", "done"}, w.told["0"].Told())
			require.Equal(t, call.ReasonAgentHangup, w.books.finished(t, w.id("K")).Reason)
			w.requireRest()
		})
	}
}

// A consultation whose party was handed on, and is served by now, is asked for its party by the phone of the one who is.
func TestHandedOnHandsOnAttended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		w.line("call M 13912345678 queue:repair; answer M 8002")
		<-time.After(7 * time.Second)
		w.line("call K by=8001 agent:8002; answer K 8002; refer r caller@K agent:8003; answer K 8003")
		w.line("refer s 8002@M agent:8003 replaces=8002@K")
		require.Equal(t, []string{"accepted", "done"}, w.told["s"].Told())
		<-time.After(7 * time.Second)
		w.line("joined 1; end caller@M bye")
		w.wg.Wait()
		require.Equal(t, call.ReasonTransferred, w.books.finished(t, w.id("K")).Reason)
		w.requireRest()
	})
}
