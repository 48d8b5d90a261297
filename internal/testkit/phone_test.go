package testkit

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// phoneT1 is fast enough for a test to lose packets and slow enough for a busy machine.
const phoneT1 = 40 * time.Millisecond

// pair is two phones with a relay between them: what passes it to the hotline passes to the second.
func pair(t *testing.T, reliable bool) (first, second *Phone, r *Relay) {
	t.Helper()
	second = StartPhone(t, PhoneOptions{User: "2000", Hotline: "127.0.0.1:9", T1: phoneT1, Reliable: reliable})
	r = StartRelay(t, second.self.String(), loopback)
	second.do(func() { second.next = r.Outer() })
	first = StartPhone(t, PhoneOptions{
		User: "1000", Hotline: r.Outer().String(), Relay: r, T1: phoneT1, Reliable: reliable,
	})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(r.Story())
		}
	})
	return first, second, r
}

// idle waits until both phones are.
func idle(t *testing.T, phones ...*Phone) {
	t.Helper()
	for _, p := range phones {
		Within(t, 2*p.giveUp()+Patience, p.o.User+" to be idle", func() bool { return len(p.Unsettled()) == 0 })
		require.Zero(t, p.Rings())
	}
}

// TestPhonesUnderLoss: whichever message is lost, two phones that follow RFC 3261 end in the same state.
func TestPhonesUnderLoss(t *testing.T) {
	hold := func(_ *testing.T, c, s *PhoneCall) {
		c.Hold()
		require.Equal(t, 200, c.AwaitReoffered())
		s.Resume()
		require.Equal(t, 200, s.AwaitReoffered())
		c.Hangup()
	}
	callerHangsUp := func(_ *testing.T, c, _ *PhoneCall) { c.Hangup() }
	calledHangsUp := func(_ *testing.T, _, s *PhoneCall) { s.Hangup() }
	for _, row := range []struct {
		way  Way
		kind Kind
		then func(t *testing.T, c, s *PhoneCall)
	}{
		{ToHotline, KindINVITE, callerHangsUp},
		{ToPhone, "100 INVITE", callerHangsUp},
		{ToPhone, "180 INVITE", callerHangsUp},
		{ToPhone, "200 INVITE", callerHangsUp},
		{ToHotline, KindACK, callerHangsUp},
		{ToHotline, "PRACK", callerHangsUp},
		{ToPhone, "200 PRACK", callerHangsUp},
		{ToHotline, "BYE", callerHangsUp},
		{ToPhone, "200 BYE", callerHangsUp},
		{ToPhone, "BYE", calledHangsUp},
		{ToHotline, "200 BYE", calledHangsUp},
		{ToHotline, KindReINVITE, hold},
		{ToPhone, "200 re-INVITE", hold},
		{ToHotline, "ACK re-INVITE", hold},
		{ToPhone, KindReINVITE, hold},
	} {
		for name, drop := range map[string]func(int) bool{"first": First(1), "first two": First(2), "every second": EverySecond} {
			t.Run(string(row.way)+" "+string(row.kind)+" "+name, func(t *testing.T) {
				t.Parallel()
				first, second, r := pair(t, true)
				r.Obey(Rule{Way: row.way, Kind: row.kind, Drop: drop})
				c := first.Call("2000")
				s := second.AwaitCall()
				s.AwaitPRACK()
				s.Answer()
				c.Await(Talking)
				s.Await(Talking)
				row.then(t, c, s)
				idle(t, first, second)
				require.Positive(t, r.Hits())
				require.ElementsMatch(t, []string{"hung up", "bye"}, []string{c.Ended(), s.Ended()})
			})
		}
	}
}

// TestPhonesCancel: the same of a call that is given up, where neither side is told by a BYE.
func TestPhonesCancel(t *testing.T) {
	for _, row := range []Rule{
		{Way: ToHotline, Kind: "CANCEL"},
		{Way: ToPhone, Kind: "200 CANCEL"},
		{Way: ToPhone, Kind: "487 INVITE"},
		{Way: ToHotline, Kind: KindACK},
	} {
		t.Run(string(row.Kind), func(t *testing.T) {
			t.Parallel()
			first, second, r := pair(t, false)
			row.Drop = First(2)
			r.Obey(row)
			c := first.Call("2000")
			s := second.AwaitCall()
			c.Await(Ringing)
			c.Hangup()
			idle(t, first, second)
			require.Equal(t, 2, r.Hits())
			require.Equal(t, "487", c.Ended())
			require.Equal(t, "cancelled", s.Ended())
		})
	}
}

// TestPhonesGiveUp: what is never answered ends after 64·T1 (timers B, F and H), and a phone that cannot
// be reached rings nobody.
func TestPhonesGiveUp(t *testing.T) {
	always := func(int) bool { return true }
	for _, row := range []struct {
		rule   Rule
		caller string
		called []string
	}{
		{Rule{Way: ToHotline, Kind: KindINVITE, Drop: always}, "no response", nil},
		{Rule{Way: ToHotline, Kind: KindACK, Drop: always}, "bye", []string{"no ACK"}},
	} {
		t.Run(string(row.rule.Kind), func(t *testing.T) {
			t.Parallel()
			first, second, r := pair(t, false)
			r.Obey(row.rule)
			began := time.Now()
			c := first.Call("2000")
			if row.called != nil {
				second.AwaitCall().Answer()
			}
			first.await(first.patience(), func() bool { return c.state == Over })
			require.GreaterOrEqual(t, time.Since(began), 64*phoneT1)
			idle(t, first, second)
			require.Equal(t, row.caller, c.Ended())
			var ended []string
			second.do(func() {
				for _, s := range second.calls {
					ended = append(ended, s.why)
				}
			})
			require.Equal(t, row.called, ended)
		})
	}
}

// TestPhonesOutOfOrder: late, doubled and swapped messages change nothing.
func TestPhonesOutOfOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // repeatable, not secret
	late := make(chan time.Duration, 1000)
	for range cap(late) {
		late <- time.Duration(random.Int64N(int64(2 * phoneT1)))
	}
	for name, rule := range map[string]Rule{
		"late":    {Delay: func() time.Duration { return <-late }},
		"twice":   {Twice: true},
		"swapped": {Swap: true, Hold: 2 * phoneT1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second, r := pair(t, false)
			r.Obey(rule)
			c := first.Call("2000")
			s := second.AwaitCall()
			s.Answer()
			c.Await(Talking)
			s.Await(Talking)
			c.Hold()
			require.Equal(t, 200, c.AwaitReoffered())
			s.Hangup()
			idle(t, first, second)
			require.Positive(t, r.Hits())
			require.ElementsMatch(t, []string{"hung up", "bye"}, []string{c.Ended(), s.Ended()})
		})
	}
}

// TestPhonesGlare: of two re-INVITEs that cross, both are refused with 491 and tried again one after the
// other (RFC 3261 section 14.1).
func TestPhonesGlare(t *testing.T) {
	first, second, r := pair(t, false)
	c := first.Call("2000")
	s := second.AwaitCall()
	s.Answer()
	c.Await(Talking)
	s.Await(Talking)
	r.Obey(Rule{Delay: func() time.Duration { return phoneT1 / 2 }})
	c.Hold()
	s.Hold()
	require.Equal(t, 200, c.AwaitReoffered())
	require.Equal(t, 200, s.AwaitReoffered())
	require.Contains(t, r.Story(), "491 re-INVITE")
	c.Hangup()
	idle(t, first, second)
}
