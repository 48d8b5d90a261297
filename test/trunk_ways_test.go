package test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// ownWays is outward, with a trunk that speaks µ-law alone, has room for one call, has its callers' numbers shown as they are
// dialled in the country, and is asked for numbers in E.164.
func ownWays(port int) string {
	const from = `from: "96777"`
	return strings.Replace(outward(port), from, from+`
    codecs: [pcmu]
    max_calls: 1
    normalise: {area: "0755", shown: national, dialled: e164}`, 1)
}

// TestTrunksOwnWays: what the file says of a trunk's codecs, of how many calls it has and of how its numbers are written is what
// its carrier, its callers and the agents see. A caller who would rather speak A-law, and whose number has no area, is
// answered in µ-law and shown with the area; one more is busy; and a number outside is asked for in E.164.
func TestTrunksOwnWays(t *testing.T) {
	t.Parallel()
	const outside = "+8613912345678" // of a phone that takes no call to any other number
	carrier := testkit.StartBaresip(t, testkit.BaresipOptions{User: outside, Auto: true, Codecs: "PCMU"})
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: ownWays(carrier.Port), Race: true, Ping: "10m"})
	phone := agent(t, h, "8002", testkit.BaresipOptions{})
	wire := h.Capture()
	const bothLaws = "PCMA,PCMU"
	c := caller(t, testkit.BaresipOptions{User: "88886666", Codecs: bothLaws})
	c.Dial(h.Number("96110"))
	require.Contains(t, phone.Await(testkit.CallIncoming).Peer, "sip:075588886666@")
	phone.Accept()
	talk(t, h, 0)

	second := caller(t, testkit.BaresipOptions{User: "88887777", Codecs: bothLaws})
	second.Dial(h.Number("96110"))
	require.Contains(t, second.Await(testkit.CallClosed).Param, "486")
	c.Hangup()
	phone.Await(testkit.CallClosed)
	r := over(t, h) // the only call: the other was none
	require.Equal(t, []string{"075588886666", "answered"}, []string{r.From, r.Result})

	h.AwaitAgent("8002", "ready")
	phone.Dial(h.Number("13912345678"))
	carrier.Await(testkit.CallEstablished)
	phone.Await(testkit.CallEstablished)
	phone.Hangup()
	carrier.Await(testkit.CallClosed)
	h.AwaitCalls(2, "finished", testkit.Finished)

	messages := wire.SIP()
	seen := func(what string, is func(m testkit.SIPPacket) bool) testkit.SIPPacket {
		t.Helper()
		i := slices.IndexFunc(messages, is)
		require.GreaterOrEqual(t, i, 0, what)
		return messages[i]
	}
	inviteTo := func(port int) testkit.SIPPacket {
		t.Helper()
		return seen(fmt.Sprintf("an INVITE to port %d", port), func(m testkit.SIPPacket) bool {
			return m.Method == "INVITE" && int(m.Dst.Port()) == port
		})
	}
	all, own := []string{"PCMA", "PCMU", "telephone-event"}, []string{"PCMU", "telephone-event"}
	const onlyPCMU = `^audio \d+ RTP/AVP 0 \d+$` // its payload type (RFC 3551 section 6), and that of the events

	offered := seen("the caller's INVITE", func(m testkit.SIPPacket) bool {
		return m.Method == "INVITE" && int(m.Src.Port()) == c.Port
	})
	answered := seen("the answer to the caller", func(m testkit.SIPPacket) bool {
		return m.Status == 200 && m.CSeqMethod == "INVITE" && int(m.Dst.Port()) == c.Port
	})
	require.Equal(t, all, offered.Encodings)
	require.Equal(t, own, answered.Encodings)
	require.Regexp(t, onlyPCMU, answered.Media)
	require.Equal(t, []string{"pcmu", "pcma"}, []string{r.Legs[0].Codec, r.Legs[1].Codec})
	rung := inviteTo(phone.Port)
	require.Equal(t, "075588886666", rung.From)
	require.Equal(t, []string{"PCMU", "PCMA", "telephone-event"}, rung.Encodings, "an agent's phone is no trunk's; the caller's is first")
	out := inviteTo(carrier.Port)
	require.Equal(t, fmt.Sprintf("sip:%s@127.0.0.1:%d", outside, carrier.Port), out.RequestURI)
	require.Equal(t, own, out.Encodings)
	require.Regexp(t, onlyPCMU, out.Media)
}
