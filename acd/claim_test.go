package acd_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/acd"
	"hotline/acd/claimtest"
	"hotline/call"
)

func TestMemoryClaims(t *testing.T) {
	claimtest.Run(t, func(*testing.T) acd.Claims { return acd.NewMemoryClaims(7) })
	first, _ := acd.NewMemoryClaims(7).Claim("8001", "c1")
	late, _ := acd.NewMemoryClaims(8).Claim("8001", "c1")
	require.Positive(t, late.Compare(first), "those of a later epoch are the greater, whatever was claimed before")
}

// elsewhere are claims shared with another node, which takes agents too.
type elsewhere struct {
	*acd.MemoryClaims
	mu  sync.Mutex
	log []string
}

func (e *elsewhere) Claim(agent, id string) (call.Token, bool) {
	token, ok := e.MemoryClaims.Claim(agent, id)
	e.note("claim", agent, ok)
	return token, ok
}

func (e *elsewhere) Release(agent string, t call.Token) {
	e.MemoryClaims.Release(agent, t)
	e.note("release", agent, true)
}

func (e *elsewhere) note(what, agent string, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !ok {
		what = "no " + what
	}
	e.log = append(e.log, what+" "+agent)
}

// TestClaims: the strategy proposes and the claims dispose. An agent who is taken elsewhere is not rung, and the
// match goes on with the next; the claim lasts as long as the phone rings or the talk, and no longer.
func TestClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &elsewhere{MemoryClaims: acd.NewMemoryClaims(1)}
		l := newLab(t, acd.Options{
			Queues: []acd.Queue{{Name: "repair", Strategy: acd.Linear}}, Claims: shared,
			Agents: []acd.Agent{{ID: "1", Skills: map[string]int{"repair": 1}}, {ID: "2", Skills: map[string]int{"repair": 1}}},
		})
		theirs, ok := shared.MemoryClaims.Claim("1", "another node's")
		require.True(t, ok)
		l.center.Flow("1", true)
		l.center.Flow("2", true)
		synctest.Wait()
		l.join(call.Ticket{CallID: "c1", Queue: "repair"})
		synctest.Wait()
		require.Nil(t, l.phones.bell("1"))
		require.NotNil(t, l.phones.bell("2"))
		_, offers := l.seats["c1"].Visit()
		require.Len(t, offers, 1, "who was not rung is not in the record")

		l.join(call.Ticket{CallID: "c2", Queue: "repair"})
		l.join(call.Ticket{CallID: "p1", Agent: "1", Once: true})
		synctest.Wait()
		require.Equal(t, call.CauseBusy, l.failed["p1"], "the one try is over")
		shared.MemoryClaims.Release("1", theirs)
		<-time.After(time.Second)
		synctest.Wait()
		require.NotNil(t, l.phones.bell("1"), "tried again a second later")

		l.phones.end("1", call.CauseDeclined)
		l.phones.end("2", "")
		synctest.Wait()
		l.leg("2").End(call.Far, call.CauseBye)
		synctest.Wait()
		shared.mu.Lock()
		require.Equal(t, "no claim 1,claim 2,no claim 1,claim 1", strings.Join(shared.log[:4], ","))
		require.ElementsMatch(t, []string{"release 1", "release 2", "claim 2"}, shared.log[4:])
		shared.mu.Unlock()
		l.stop()
		_, ok = shared.MemoryClaims.Claim("2", "another node's")
		require.True(t, ok, "what rang at the end was given back")
	})
}

// TestClaimForAnAlarm: an agent who was taken elsewhere is tried for an alarm again a second later, though a lesser
// caller's offer left a longer rest behind.
func TestClaimForAnAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		claims := acd.NewMemoryClaims(1)
		o := parseDesk(t, "queue gas alarm ladder=0s,0s,1h\nqueue repair\nagent 8001 gas=1 repair=1")
		o.Claims = claims
		l := newLab(t, o)
		l.center.Flow("8001", true)
		l.join(call.Ticket{CallID: "c1", Queue: "repair"})
		synctest.Wait()
		l.phones.end("8001", call.CauseUnreachable) // 40 s of rest
		synctest.Wait()
		theirs, ok := claims.Claim("8001", "another node's")
		require.True(t, ok)
		l.join(call.Ticket{CallID: "g1", Queue: "gas"})
		synctest.Wait()
		require.Nil(t, l.phones.bell("8001"))
		claims.Release("8001", theirs)
		<-time.After(time.Second)
		synctest.Wait()
		require.NotNil(t, l.phones.bell("8001"))
		l.stop()
	})
}

// TestClaimsBeforeSecondPhones: the only phone meant for an alarm comes to nothing, since the agent is taken elsewhere.
// No phone is rung for the other alarm, which has more, and taken back for this one in the same instant.
func TestClaimsBeforeSecondPhones(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		claims := acd.NewMemoryClaims(1)
		o := parseDesk(t, "queue gas alarm strategy=ring-all ladder=1s,1h,2h\nagent 8001 gas=1\nagent 8002 gas=1\nagent 8003 gas=1")
		o.Claims = claims
		l := newLab(t, o)
		agents := []string{"8001", "8002", "8003"}
		for _, agent := range agents { // in pause, so that an alarm on its first step may not have them unless another has
			require.NoError(t, l.center.Pause(agent, ""))
		}
		l.join(call.Ticket{CallID: "g1", Queue: "gas", From: "1381"})
		<-time.After(time.Second)
		_, ok := claims.Claim("8003", "another node's")
		require.True(t, ok)
		release := l.center.Hold()
		for _, agent := range agents {
			l.center.Flow(agent, true)
		}
		l.join(call.Ticket{CallID: "g2", Queue: "gas", From: "1382"})
		release()
		synctest.Wait()
		log := strings.Join(l.log(), "\n")
		require.Contains(t, log, "ring 8001 g1")
		require.Contains(t, log, "ring 8002 g2")
		require.NotContains(t, log, "cancel")
		l.stop()
	})
}

// faulty are claims with a fault of ours: the first one panics.
type faulty struct {
	*acd.MemoryClaims
	once sync.Once
}

func (f *faulty) Claim(agent, id string) (call.Token, bool) {
	f.once.Do(func() { panic("a fault") })
	return f.MemoryClaims.Claim(agent, id)
}

// TestPanicWhileMatching: who could be paired is not left until something else happens.
func TestPanicWhileMatching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := parseDesk(t, "queue repair\nagent 8001 repair=1")
		o.Claims = &faulty{MemoryClaims: acd.NewMemoryClaims(1)}
		l := newLab(t, o)
		l.center.Flow("8001", true)
		synctest.Wait()
		l.join(call.Ticket{CallID: "c1", Queue: "repair"})
		<-time.After(time.Second)
		synctest.Wait()
		require.NotNil(t, l.phones.bell("8001"))
		l.stop()
	})
}
