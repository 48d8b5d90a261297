package test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// linphone is a registered phone of the make that transfers attended, and answers at once.
func linphone(t *testing.T, h *testkit.Hotline, id string, tone float64) *testkit.Linphonec {
	t.Helper()
	l := testkit.StartLinphonec(t, testkit.LinphonecOptions{
		User: id, Password: passwords[id], Registrar: h.SIP, Tone: tone,
	})
	h.AwaitAgent(id, "ready")
	return l
}

// talkWith waits until a call's last talk is with an agent, and was joined for a while.
func talkWith(t *testing.T, h *testkit.Hotline, agent string, lasting time.Duration) testkit.Record {
	t.Helper()
	return h.AwaitCall("talking with "+agent, func(r testkit.Record) bool {
		if len(r.Talks) == 0 {
			return false
		}
		last := r.Talks[len(r.Talks)-1]
		return last.Agent == agent && last.Joined != nil && last.Ended == nil && time.Since(*last.Joined) >= lasting
	})
}

const thirdTone = 1600 // of the party that a caller is handed on to

// TestBlindTransfer: two makes of phone hand a caller on to a colleague, who is heard; the phone that asked is told of
// it, free again, and nobody has hung up on anybody.
func TestBlindTransfer(t *testing.T) {
	t.Parallel()
	for _, phone := range []string{"baresip", "linphonec"} {
		t.Run(phone, func(t *testing.T) {
			t.Parallel()
			h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Ping: "10m"})
			target := agent(t, h, "8004", testkit.BaresipOptions{Auto: true, Tone: thirdTone})
			var transfer func()
			if phone == "baresip" {
				b := agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
				transfer = func() { b.Transfer(h.Number("8004")) }
			} else {
				l := linphone(t, h, "8002", agentTone)
				transfer = func() { l.Transfer(1, "8004", h.SIP) }
			}
			wire := h.Capture()
			c := caller(t, testkit.BaresipOptions{})
			c.Dial(h.Number("96110"))
			talkWith(t, h, "8002", 0)
			transfer()
			talkWith(t, h, "8004", 1500*time.Millisecond)
			h.AwaitAgent("8002", "ready")
			require.Equal(t, "talking", state(h, "8004"))
			c.Hangup()
			target.Await(testkit.CallClosed)
			r := over(t, h)
			require.Equal(t, []testkit.Transfer{{By: "8002", Kind: "blind", To: "agent:8004", How: "done"}}, r.Transfers)
			require.Equal(t, "caller", r.Release)
			require.Equal(t, "answered", r.Result)
			require.Equal(t, "8002", r.Agent)
			require.Len(t, r.Talks, 2)
			require.Equal(t, "8004", r.Talks[1].Agent)

			require.Equal(t, []string{"100", "200"}, ends(notified(t, wire, h)), "what the phone was told")
			joined := *r.Talks[1].Joined
			heard := sent(wire.RTP(), h.MediaPorts, c.RTP, joined.Add(200*time.Millisecond), joined.Add(1400*time.Millisecond))
			require.Greater(t, testkit.Tone(heard, thirdTone), 0.9, "the caller does not hear 8004")
		})
	}
}

// notified are the statuses that NOTIFYs of the hotline told, in order.
func notified(t *testing.T, wire *testkit.Capture, h *testkit.Hotline) []string {
	t.Helper()
	var statuses []string
	last := 0
	for _, m := range wire.SIP() {
		if m.Method != "NOTIFY" || int(m.Src.Port()) != h.SIPPort || m.CSeq == last {
			continue
		}
		last = m.CSeq
		_, status, ok := strings.Cut(m.Fragment, "SIP/2.0 ")
		require.True(t, ok, "%s has no sipfrag", m)
		statuses = append(statuses, status[:3])
	}
	return statuses
}

// ends are the first and the last.
func ends(s []string) []string {
	if len(s) < 2 {
		return s
	}
	return []string{s[0], s[len(s)-1]}
}

// TestBlindTransferFails: nobody answers at the colleague's, or there is nobody, or there is no such number; the phone is
// told, and the agent has the caller again.
func TestBlindTransferFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		to, status string
		colleague  bool
	}{
		"nobody there":   {to: "8004", status: "480"},
		"nobody answers": {to: "8004", status: "480", colleague: true},
		"no such number": {to: "12345", status: "404"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Ping: "10m"})
			phone := linphone(t, h, "8002", agentTone)
			if c.colleague {
				agent(t, h, "8004", testkit.BaresipOptions{})
			}
			wire := h.Capture()
			customer := caller(t, testkit.BaresipOptions{})
			customer.Dial(h.Number("96110"))
			talkWith(t, h, "8002", 0)
			phone.Transfer(1, c.to, h.SIP)
			if c.status == "480" {
				h.AwaitCall("not transferred", func(r testkit.Record) bool {
					return len(r.Transfers) == 1 && r.Transfers[0].How != ""
				})
			}
			talkWith(t, h, "8002", 3*time.Second)
			customer.Hangup()
			r := over(t, h)
			require.Len(t, r.Talks, 1)
			require.Equal(t, "caller", r.Release)
			require.Equal(t, []string{"100", c.status}, ends(notified(t, wire, h)))
		})
	}
}

// TestPhoneHangsUpWhenTransferFails: baresip hangs up by itself when its transfer fails. That costs nobody the call: the
// caller goes to the head of the queue, and has the next agent who is free.
func TestPhoneHangsUpWhenTransferFails(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"8004", "12345"} {
		t.Run(to, func(t *testing.T) {
			t.Parallel()
			h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Ping: "10m"})
			phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
			c := caller(t, testkit.BaresipOptions{})
			c.Dial(h.Number("96110"))
			talkWith(t, h, "8002", 0)
			phone.Transfer(h.Number(to))
			phone.Await(testkit.TransferFailed)
			h.AwaitCall("another talk", func(r testkit.Record) bool { return len(r.Talks) == 2 && r.Talks[1].Joined != nil })
			c.Hangup()
			r := over(t, h)
			require.Equal(t, "caller", r.Release)
			require.Equal(t, "answered", r.Result)
		})
	}
}

// TestTransferToQueue: the caller waits in the other queue, the agent is free at once, and the next one answers.
func TestTransferToQueue(t *testing.T) {
	t.Parallel()
	for name, to := range map[string]string{"by its name": "gas-alarm", "by a number": "96119"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Ping: "10m"})
			phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
			c := caller(t, testkit.BaresipOptions{})
			c.Dial(h.Number("96110"))
			talkWith(t, h, "8002", 0)
			phone.Transfer(h.Number(to))
			h.AwaitAgent("8002", "ready")
			h.AwaitWaiting("gas-alarm", 1)
			testkit.StartBaresip(t, testkit.BaresipOptions{
				User: "8004", Password: passwords["8004"], Registrar: h.SIP, Register: true, Auto: true, Tone: thirdTone,
			})
			talkWith(t, h, "8004", 0)
			c.Hangup()
			r := over(t, h)
			require.Equal(t, []testkit.Transfer{{By: "8002", Kind: "blind", To: "queue:gas-alarm", How: "done"}}, r.Transfers)
			require.Len(t, r.Visits, 2)
			require.Equal(t, "repair", r.Queue)
		})
	}
}

// TestCallerCannotTransfer: a REFER from the caller's side is refused, and leads nowhere.
func TestCallerCannotTransfer(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Ping: "10m"})
	agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	wire := h.Capture()
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	talkWith(t, h, "8002", 0)
	c.Transfer(h.Number("8004"))
	c.Await(testkit.TransferFailed) // which this phone takes for a reason to hang up
	r := over(t, h)
	require.Empty(t, r.Transfers)
	require.Equal(t, "caller", r.Release)
	var statuses []int
	for _, m := range wire.SIP() {
		if m.CSeqMethod == "REFER" && m.Status != 0 {
			statuses = append(statuses, m.Status)
		}
	}
	require.Equal(t, []int{403}, statuses)
}

// TestConsultation: an agent puts the caller on hold, asks a colleague, and takes the caller back; or hands them on to the
// colleague (attended, by Replaces), who then is talking to the caller.
func TestConsultation(t *testing.T) {
	t.Parallel()
	for _, handsOn := range []bool{false, true} {
		t.Run(fmt.Sprintf("hands on %t", handsOn), func(t *testing.T) {
			t.Parallel()
			h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Ping: "10m"})
			colleague := agent(t, h, "8004", testkit.BaresipOptions{Auto: true, Tone: thirdTone})
			phone := linphone(t, h, "8002", agentTone)
			c := caller(t, testkit.BaresipOptions{})
			c.Dial(h.Number("96110"))
			customer := talkWith(t, h, "8002", 0)
			phone.Pause()
			h.AwaitCall("held", func(r testkit.Record) bool { return holding(r, 0) })
			phone.Dial("8004", h.SIP)
			consultation := talkWith(t, h, "8004", 500*time.Millisecond)
			require.Equal(t, "agent:8002", consultation.Trunk)
			require.NotEqual(t, customer.ID, consultation.ID)
			if handsOn {
				phone.TransferTo(1, 2)
				h.AwaitCall("handed on", func(r testkit.Record) bool {
					return r.ID == customer.ID && len(r.Talks) == 2 && r.Talks[1].Joined != nil
				})
				h.AwaitAgent("8002", "ready")
				require.Equal(t, "talking", state(h, "8004"))
			} else {
				colleague.Hangup()
				h.AwaitAgent("8004", "ready")
				phone.Await(fmt.Sprintf("Call 2 with sip:8004@%s ended", h.SIP))
				phone.Resume(1)
				h.AwaitCall("taken back", func(r testkit.Record) bool {
					return r.ID == customer.ID && r.Talks[0].Holds[0].To != nil
				})
			}
			c.Hangup()
			records := h.AwaitCalls(2, "finished", testkit.Finished)
			for _, r := range records {
				require.Equal(t, "answered", r.Result)
				if r.ID == consultation.ID {
					require.Empty(t, r.Recording, "between colleagues nothing is recorded")
					continue
				}
				require.Equal(t, "caller", r.Release)
				if handsOn {
					require.Equal(t, []testkit.Transfer{{By: "8002", Kind: "attended", To: "agent:8004", How: "done"}}, r.Transfers)
					require.Equal(t, "8004", r.Talks[1].Agent)
				} else {
					require.Len(t, r.Talks, 1)
				}
			}
			h.AwaitAgent("8002", "ready")
			h.AwaitAgent("8004", "ready")
		})
	}
}

// TestNumberOutside: an agent hands a caller on to a number outside, through a trunk and no other way. What nothing allows
// is no number that there is: TestBlindTransferFails.
func TestNumberOutside(t *testing.T) {
	t.Parallel()
	carrier := testkit.StartAgent(t, testkit.SippAgent{Tone: thirdTone})
	yaml := strings.Replace(city, `"96110": {queue: repair}}`, fmt.Sprintf(
		`"96110": {queue: repair}}`+"\n    address: udp://127.0.0.1:%d\n    from: \"96777\"\ndial:\n  - {prefix: \"139\", through: city}", carrier.Port), 1)
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: yaml, Race: true, Ping: "10m"})
	phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	wire := h.Capture()
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	talkWith(t, h, "8002", 0)
	phone.Transfer(h.Number("13912345678"))
	r := h.AwaitCall("talking outside", func(r testkit.Record) bool { return len(r.Talks) == 2 && r.Talks[1].Joined != nil })
	require.Equal(t, "13912345678", r.Talks[1].Number)
	h.AwaitAgent("8002", "ready")
	for _, m := range wire.SIP() {
		if m.Method == "INVITE" && int(m.Dst.Port()) == carrier.Port {
			require.Equal(t, "96777", m.From)
			require.Equal(t, "13912345678", m.To)
		}
	}
	c.Hangup()
	require.Zero(t, carrier.Wait(), carrier.Messages())
	h.AwaitLog("number outside dialled")
	require.NotContains(t, h.Log(), "13912345678")
}
