package call_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
	"hotline/media"
)

// TestSupervised runs the cases in testdata/supervised: scripts as in testdata/transfers, and besides
//
//	supervise CALL SUPERVISOR MODE     over the API; what is answered stands in the end
//	unsupervise CALL
//	picks-up CALL | stays-away CAUSE   the supervisor's phone that is being rung; CALL is the supervisor's own
//	listen CALL SUPERVISOR AGENT       the supervisor's phone dials the code
//	key LEG KEY | deaf LEG
//	supervisors [ID…]                  a reload: who is one from now on
//	room HEARS | room none             who hears whom: 1|0|0,1 is a supervisor who listens
func TestSupervised(t *testing.T) {
	playCases(t, "supervised", func(t *testing.T, script string) string {
		t.Helper()
		return newOffice(t).play(script)
	})
}

// office is a town with supervisors.
type office struct {
	*town
	phones *phones
	said   []string
}

// phones are supervisors', and ring as numbers outside do.
type phones struct{ calltest.Dialer }

func (p *phones) Ring(ctx context.Context, r call.RingRequest) (call.Leg, error) {
	return p.Dial(ctx, call.DialRequest{Number: r.Agent, CallID: r.CallID})
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{town: newTown(t), phones: &phones{}}
	o.x.Supervision = call.SuperviseOptions{Phones: o.phones, Code: "*41"}
	o.x.Supervisors = ids("9001", "9002")
	o.also = o.act
	return o
}

// ids are supervisors.
func ids(all ...string) map[string]bool {
	set := make(map[string]bool)
	for _, id := range all {
		set[id] = true
	}
	return set
}

func (o *office) act(what string, args []string) bool {
	switch what {
	case "supervise":
		rung, err := o.x.Supervise(o.t.Context(), o.id(args[0]), args[1], call.Mode(args[2]))
		o.said = append(o.said, fmt.Sprintf("%s: rung %t, %v", strings.Join(args, " "), rung, err))
	case "unsupervise":
		o.said = append(o.said, fmt.Sprintf("no more at %s: %v", args[0], o.x.Unsupervise(o.id(args[0]))))
	case "picks-up":
		o.names = append(o.names, args[0])
		require.True(o.t, o.phones.Answer(o.leg("caller@"+args[0])))
	case "stays-away":
		require.True(o.t, o.phones.Fail(call.Cause(args[0])))
	case "listen":
		o.names = append(o.names, args[0])
		in := call.Incoming{
			Leg: o.leg("caller@" + args[0]), At: call.Next{Kind: call.Code, Code: "*41" + args[2]},
			Agent: args[1], From: args[1], To: "*41" + args[2], Received: time.Now(),
		}
		o.wg.Go(func() { o.x.Serve(context.Background(), in) })
	case "deaf": // its stream fails
		require.NoError(o.t, o.legs[args[0]].Stream().Close())
	case "supervisors":
		o.x.Reload(call.Settings{
			Menus: o.x.Menus, Prompts: o.x.Prompts, Queues: o.x.Queues, Targets: o.x.Targets, Supervisors: ids(args...),
		})
	case "key":
		o.legs[args[0]].Stream().Press(media.Key(args[1][0]))
	case "room":
		rooms, tapped := o.bridge.Rooms()
		got := "none"
		if len(rooms) > 0 {
			require.Len(o.t, rooms, 1)
			require.True(o.t, tapped[0], "the recording hears the room")
			got = strings.NewReplacer("[", "", "]", "", " ", ",").Replace(strings.ReplaceAll(fmt.Sprint(rooms[0]), "] [", "|"))
		}
		require.Equal(o.t, args[0], got)
	default:
		return false
	}
	return true
}

// play tells besides what supervisors were told, and what they heard.
func (o *office) play(script string) string {
	told := o.town.play(script)
	for _, said := range o.said {
		told += said + "\n"
	}
	for _, name := range o.legNames {
		if beeps := o.legs[name].Stream().Tones(); len(beeps) > 0 {
			told += name + " heard " + strings.Join(beeps, ", ") + "\n"
		}
	}
	for _, r := range o.books.unanswered() {
		told += fmt.Sprintf("%s rung in vain: %s %s\n", r.From, r.Result, r.Reason)
	}
	if engaged := o.desk.EngagedOf(); len(engaged) > 0 {
		told += "engaged " + strings.Join(engaged, " ") + "\n"
	}
	rooms, _ := o.bridge.Rooms()
	require.Empty(o.t, rooms, "room left up")
	o.books.mu.Lock()
	defer o.books.mu.Unlock()
	for _, r := range o.books.closed {
		for _, a := range r.Legs {
			require.Equal(o.t, r.Kind == call.KindSupervision, a.Role == call.RoleSupervisor, "%s of %s", a.Role, r.From)
		}
	}
	return told
}

// unanswered are the calls in which a supervisor's phone was rung and nobody came, the oldest first.
func (k *books) unanswered() (all []call.Record) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range k.closed {
		if r.Kind == call.KindSupervision && r.Accepted == nil {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b call.Record) int { return a.Started.Compare(b.Started) })
	return all
}

// Every change of the mode is kept, or does not happen: the record is bounded.
func TestSupervisionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.line("call M 13912345678 queue:repair; answer M 8001")
		<-time.After(7 * time.Second)
		o.line("listen S 9001 8001")
		for range call.MaxSupervisions {
			o.line("key caller@S 2; key caller@S 1")
		}
		o.line("room 1|0,2|0,1; end caller@S bye; supervise M 9001 listen; end caller@M bye")
		o.wg.Wait()
		r := o.books.finished(t, o.id("M"))
		require.Len(t, r.Supervisions, call.MaxSupervisions)
		for i := 1; i < len(r.Supervisions); i++ {
			require.Equal(t, r.Supervisions[i].From, *r.Supervisions[i-1].To)
		}
		require.Contains(t, o.said[0], call.ErrSupervisedOften.Error())
	})
}

// A key that meets the end of the supervision may be taken for a new wish, where the talk has gone on meanwhile (the agent's
// transfer came to nothing): that one ends too, and costs the caller nothing. Which of the two the supervisor's call sees
// first is chance, so it is tried often.
func TestSupervisorsKeyMeetsTheEnd(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			o := newOffice(t)
			o.x.Supervisors = ids("8001") // whose calls the books can hold up
			o.line("call M 13912345678 queue:repair; answer M 8002")
			<-time.After(7 * time.Second)
			o.line("listen S 8001 8002; room 1|0|0,1")
			open := o.books.shut()
			require.True(t, o.x.Post(o.id("S"), call.Annotated{}))
			o.line("key caller@S 2; refer r 8002@M agent:8003; fail M busy; joined 1")
			open()
			o.line("joined 1; end caller@M bye")
			o.wg.Wait()
			require.Equal(t, call.Answered, o.books.finished(t, o.id("M")).Result)
			o.requireRest()
		})
	}
}

// What a crash left open in a record is closed.
func TestSupervisionCrashed(t *testing.T) {
	at := time.Now()
	r := call.Record{Started: at, Supervisions: []call.Supervision{{By: "9001", Mode: call.ModeListen, From: at.Add(time.Minute)}}}
	r.CloseCrashed(at)
	require.Equal(t, at.Add(time.Minute), *r.Supervisions[0].To)
}
