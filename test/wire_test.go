package test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// keyOfWire is the key that leads to the queue.
const keyOfWire = '2'

// presser says how many callers press the key, how, and for how long each stays; 0: until the test's end.
type presser struct {
	calls, agents int
	every, stays  time.Duration
	by            string
	race          bool
}

// pressed is a key as the wire had it, and what came of it.
type pressed struct {
	from   string    // the caller's number, which the agent is shown
	caller int       // where the caller's telephone wants its audio, and sends from
	us     int       // where the hotline wants it
	in     time.Time // the hotline answered
	key    time.Time // first packet of the telephone-event, or the INFO
	end    time.Time // first packet that says that the key was let go; zero of an INFO
	rung   time.Time // the INVITE to an agent that has the caller's number
}

// TestKeyToInvite: from the wire alone, each key of a caller leads to an INVITE to an agent's phone that bears that
// caller's number, and after the key's first packet. How soon is TestKeyToInviteInFull's.
func TestKeyToInvite(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]string{"RFC 4733": testkit.KeysByRTP, "INFO": testkit.KeysByINFO} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys := pressKeys(t, presser{calls: 5, agents: 5, every: 300 * time.Millisecond, by: by, race: true})
			require.Len(t, keys, 5)
			for _, k := range keys {
				k.check(t)
			}
		})
	}
}

// check wants everything there, in its order.
func (k pressed) check(t *testing.T) {
	t.Helper()
	require.False(t, k.in.IsZero(), "%s was not answered", k.from)
	require.False(t, k.key.IsZero(), "no key of %s on the wire", k.from)
	require.False(t, k.rung.IsZero(), "nobody was rung for %s", k.from)
	require.True(t, k.rung.After(k.key), "an agent was rung for %s %s before the key", k.from, k.key.Sub(k.rung))
}

// pressKeys has callers press the key of a queue, in which there is always an agent who is idle, and reads what passed
// from the wire.
func pressKeys(t *testing.T, o presser) map[string]*pressed {
	t.Helper()
	h := testkit.StartHotline(t, testkit.HotlineOptions{
		YAML: staffed(o.agents), Race: o.race, Ping: "10m", MediaPorts: 180, NoRest: true,
	})
	for i := range o.agents {
		phone := testkit.StartAgent(t, testkit.SippAgent{User: wireAgent(i), Password: "pass", Registrar: h.SIP, Calls: o.calls})
		t.Cleanup(phone.Vanish) // most have not had so many calls, and would wait for them
		h.AwaitAgent(wireAgent(i), "ready")
	}
	wire := h.Capture()
	c := testkit.StartCaller(t, testkit.SippCaller{
		To: h.SIP, Number: "96777", From: "1390000[call_number]", Calls: o.calls, Every: o.every,
		Keys: string(keyOfWire), KeyEvery: 300 * time.Millisecond, KeysBy: o.by, HangUpAfter: o.stays,
	})
	if o.stays == 0 {
		h.AwaitCalls(o.calls, "answered", func(r testkit.Record) bool { return len(r.Talks) == 1 })
		h.Signal(syscall.SIGTERM)
		h.AwaitLog("draining")
		h.Signal(syscall.SIGTERM) // the second ends live calls at once
	}
	require.Zero(t, c.Wait(), c.Messages())
	return readKeys(wire, h)
}

// readKeys takes the capture apart: a call is tied to its RTP by the ports in both its SDPs, and to the agent's INVITE
// by the caller's number. Ports are used again by later calls, so a call's key comes after its answer, and before the
// next call's on the same ports.
func readKeys(wire *testkit.Capture, h *testkit.Hotline) map[string]*pressed {
	calls := make(map[string]*pressed) // by Call-ID of the caller's leg
	found := make(map[string]*pressed) // by number
	for _, m := range wire.SIP() {
		k, known := calls[m.CallID]
		in := int(m.Dst.Port()) == h.SIPPort
		switch {
		case in && m.Method == "INVITE" && !known:
			k = &pressed{from: m.From, caller: m.AudioPort}
			calls[m.CallID], found[m.From] = k, k
		case !in && known && m.Status == 200 && m.CSeqMethod == "INVITE" && k.in.IsZero():
			k.in, k.us = m.Time, m.AudioPort
		case in && known && m.Method == "INFO" && k.key.IsZero():
			k.key = m.Time
		case !in && m.Method == "INVITE" && !known && found[m.From] != nil && found[m.From].rung.IsZero():
			found[m.From].rung = m.Time
		}
	}
	for _, p := range wire.RTP() {
		if p.Event != keyOfWire-'0' {
			continue
		}
		if k := speaker(found, p); k != nil && k.key.IsZero() {
			k.key = p.Time
		} else if k != nil && k.end.IsZero() && p.EventEnd {
			k.end = p.Time
		}
	}
	return found
}

// speaker is whose a packet is: of those who had the ports, the one answered last.
func speaker(all map[string]*pressed, p testkit.RTPPacket) *pressed {
	var last *pressed
	for _, k := range all {
		if int(p.Src.Port()) != k.caller || int(p.Dst.Port()) != k.us || k.in.IsZero() || p.Time.Before(k.in) {
			continue
		}
		if last == nil || k.in.After(last.in) {
			last = k
		}
	}
	return last
}

// wireAgent is the id of an agent of staffed.
func wireAgent(i int) string { return fmt.Sprint(8001 + i) }

// staffed is a hotline with a menu, its queue, and so many agents; rings are as long as by default, so that whoever
// answers at once is the only one rung.
func staffed(agents int) string {
	var people strings.Builder
	for i := range agents {
		fmt.Fprintf(&people, "  - {id: %q, password: pass, skills: {repair: 5}}\n", wireAgent(i))
	}
	return `
trunks:
  - name: city
    allow: [127.0.0.0/8]
    numbers: {"96777": {menu: main}}
agents:
` + people.String() + `queues:
  repair: {wrap_up: 0s}
menus:
  main: {prompt: welcome, keys: {"2": {queue: repair}}, otherwise: {queue: repair}}
`
}
