package test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestAgentDoesNotAnswer: an agent who refuses, is busy, lets it ring, or whose phone dies is passed
// over, and the caller gets the next one.
func TestAgentDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]struct {
		phone    testkit.SippAgent
		vanishes bool
		how      []string // the offer ended as one of these
	}{
		"busy":     {testkit.SippAgent{Refuse: 486}, false, []string{"busy"}},
		"declines": {testkit.SippAgent{Refuse: 603, After: 100 * time.Millisecond}, false, []string{"refused"}},
		"rings on": {testkit.SippAgent{RingsOn: true}, false, []string{"withdrawn"}}, // the second joined in with the last ring
		"vanishes": {testkit.SippAgent{RingsOn: true}, true, []string{"withdrawn", "unreachable"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Ping: "10m"})
			first.phone.User, first.phone.Password, first.phone.Registrar = "8002", passwords["8002"], h.SIP
			phone := testkit.StartAgent(t, first.phone)
			h.AwaitAgent("8002", "ready")
			second := agent(t, h, "8003", testkit.BaresipOptions{Auto: true}) // idle for less long
			c := caller(t, testkit.BaresipOptions{})
			c.Dial(h.Number("96110"))
			if first.vanishes {
				h.AwaitAgent("8002", "ringing")
				phone.Vanish()
			}
			second.Await(testkit.CallEstablished)
			c.Await(testkit.CallEstablished)
			h.AwaitCall("joined", func(r testkit.Record) bool { return r.Joined != nil })
			second.Hangup()
			c.Await(testkit.CallClosed)

			r := over(t, h)
			require.Equal(t, "answered", r.Result)
			require.Equal(t, "agent", r.Release)
			require.Equal(t, "8003", r.Agent)
			require.Len(t, r.Visits, 1, "the caller keeps the place")
			require.Len(t, r.Offers, 2)
			require.Equal(t, "8002", r.Offers[0].Agent)
			require.Contains(t, first.how, r.Offers[0].How)
			require.Equal(t, "8003", r.Offers[1].Agent)
			require.Equal(t, "answered", r.Offers[1].How)
			if !first.vanishes {
				require.Zero(t, phone.Wait(), phone.Messages())
			}
		})
	}
}

// TestNobodyThere: with no agent registered the caller waits, and gets the first who comes.
func TestNobodyThere(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true})
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	c.Await(testkit.CallEstablished) // after one ring
	h.AwaitWaiting("repair", 1)
	testkit.StartBaresip(t, testkit.BaresipOptions{ // called before its events can be listened to
		User: "8002", Password: passwords["8002"], Registrar: h.SIP, Register: true, Auto: true, Tone: agentTone,
	})
	h.AwaitCall("joined", func(r testkit.Record) bool { return r.Joined != nil })
	c.Hangup()
	r := over(t, h)
	require.Equal(t, "answered", r.Result)
	require.Len(t, r.Offers, 1)
}

// TestWrongPassword: no phone registers with it.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true})
	testkit.StartBaresip(t, testkit.BaresipOptions{
		User: "8002", Password: "two?", Registrar: h.SIP, RegisterFails: true,
	})
	for _, a := range h.Agents() {
		require.Equal(t, "offline", a.State, a.ID)
	}
}

// TestAnotherMake: linphonec registers and answers as baresip does.
func TestAnotherMake(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true})
	phone := testkit.StartLinphonec(t, testkit.LinphonecOptions{
		User: "8002", Password: passwords["8002"], Registrar: h.SIP, Tone: agentTone,
	})
	h.AwaitAgent("8002", "ready")
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	talk(t, h, 2*time.Second)
	c.Hangup()
	r := over(t, h)
	require.Equal(t, "answered", r.Result)
	phone.Quit()
	h.AwaitAgent("8002", "offline")
	hears(t, testkit.ReadWAV(t, c.Heard()).Channels[0], agentTone, callerTone)
	hears(t, testkit.ReadWAV(t, phone.Heard()).Channels[0], callerTone, agentTone)
}

// TestRingAll: two phones answer in the same instant. One is joined; the other's 200 is ACKed, as every
// 2xx must be (RFC 3261 section 13.2.2.4), and its call ended with BYE. Where chance lets the CANCEL
// overtake an answer, that phone gets neither; so in the second case one answers only after it.
func TestRingAll(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]testkit.SippAgent{
		"in the same instant": {},
		"200 crosses CANCEL":  {Crosses: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Ping: "10m"})
			ports := make(map[string]int)
			for id, phone := range map[string]testkit.SippAgent{"8003": {}, "8004": second} {
				phone.User, phone.Password, phone.Registrar = id, passwords[id], h.SIP
				ports[id] = testkit.StartAgent(t, phone).Port
				h.AwaitAgent(id, "ready")
			}
			wire := h.Capture()
			c := caller(t, testkit.BaresipOptions{})
			c.Dial(h.Number("96119"))
			c.Await(testkit.CallEstablished)
			h.AwaitCall("joined", func(r testkit.Record) bool { return r.Joined != nil })
			c.Hangup()
			r := over(t, h)
			require.Len(t, r.Talks, 1)
			require.Len(t, r.Offers, 2)
			require.ElementsMatch(t, []string{"answered", "withdrawn"}, []string{r.Offers[0].How, r.Offers[1].How})
			h.AwaitAgent("8003", "ready")
			h.AwaitAgent("8004", "ready")

			messages := wire.SIP()
			for id, port := range ports {
				require.Equal(t, 1, count(messages, "INVITE", port), id)
				if !answered(messages, port) {
					require.False(t, second.Crosses)
					require.NotEqual(t, r.Agent, id)
					require.Equal(t, 1, count(messages, "CANCEL", port), id)
					continue
				}
				require.NotZero(t, count(messages, "ACK", port), id)
				require.Equal(t, 1, count(messages, "BYE", port), id)
			}
		})
	}
}

// answered is whether a phone at a port sent 200 to an INVITE.
func answered(messages []testkit.SIPPacket, port int) bool {
	return slices.ContainsFunc(messages, func(m testkit.SIPPacket) bool {
		return m.Status == 200 && m.CSeqMethod == "INVITE" && int(m.Src.Port()) == port
	})
}

// TestTenCallersTwoAgents: callers are served in the order in which they came, one by each agent at a
// time.
func TestTenCallersTwoAgents(t *testing.T) {
	t.Parallel()
	const callers = 10
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true})
	for i := range callers {
		testkit.StartCaller(t, testkit.SippCaller{To: h.SIP, Number: "96110", From: "1390000000" + string(rune('0'+i))})
		h.AwaitWaiting("repair", i+1)
	}
	phones := make(map[string]*testkit.Baresip)
	for _, id := range []string{"8002", "8003"} {
		// Not by agent, which waits for it to be ready: it is rung at once.
		phones[id] = testkit.StartBaresip(t, testkit.BaresipOptions{
			User: id, Password: passwords[id], Registrar: h.SIP, Register: true, Auto: true,
		})
	}
	done := make(map[string]bool)
	testkit.Within(t, 2*time.Minute, "ten calls served", func() bool {
		for _, r := range h.Calls() {
			if r.Joined != nil && r.Ended == nil && !done[r.ID] {
				done[r.ID] = true
				phones[r.Agent].Hangup()
			}
		}
		return len(done) == callers
	})
	records := h.AwaitCalls(callers, "finished", testkit.Finished)
	free := make(map[string]time.Time) // a call's end is told a little after its agent's: times tell, and not who looks
	for _, r := range slices.Backward(records) {
		require.Len(t, r.Talks, 1)
		require.False(t, r.Talks[0].Answered.Before(free[r.Agent]), "calls at once of %s", r.Agent)
		free[r.Agent] = *r.Talks[0].Ended
	}
	for i := range records[1:] {
		later, earlier := records[i], records[i+1] // newest first
		require.Equal(t, "answered", earlier.Result)
		require.False(t, later.Answered.Before(*earlier.Answered), "%s before %s", later.From, earlier.From)
	}
}
