package testkit

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// wires is a relay with a bare socket on either side of it.
func wires(t *testing.T, rules ...Rule) (phone, hotline *net.UDPConn, r *Relay) {
	t.Helper()
	hotline = openUDP(t, loopback)
	r = StartRelay(t, addrOf(hotline).String(), loopback)
	r.Obey(rules...)
	phone, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(r.Inner()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, phone.Close()); require.NoError(t, hotline.Close()) })
	return phone, hotline, r
}

// plain is a request outside a dialog, or a response if it begins with a status.
func plain(method string, seq int) string {
	start, to := method+" sip:1@127.0.0.1 SIP/2.0", "<sip:1@127.0.0.1>"
	if word, rest, ok := strings.Cut(method, " "); ok {
		start, method, to = "SIP/2.0 "+word+" Test", rest, to+";tag=b"
	}
	return fmt.Sprintf("%s\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK%d\r\nFrom: <sip:2@127.0.0.1>;tag=a\r\n"+
		"To: %s\r\nCall-ID: x\r\nCSeq: %d %s\r\nContent-Length: 0\r\n\r\n", start, seq, to, seq, method)
}

// heard reads datagrams until there is one that begins with the end.
func heard(t *testing.T, from *net.UDPConn, end string) (starts []string) {
	t.Helper()
	datagram := make([]byte, 1<<16)
	require.NoError(t, from.SetReadDeadline(time.Now().Add(Patience)))
	for {
		n, err := from.Read(datagram)
		require.NoError(t, err)
		text := string(datagram[:n])
		if strings.HasPrefix(text, end) {
			return starts
		}
		words := strings.Fields(text)
		starts = append(starts, words[0]+" "+RawReply{Text: text}.Header("CSeq"))
	}
}

// TestRelayPicks: a rule is for one kind in one direction; copies are counted for each message alone.
func TestRelayPicks(t *testing.T) {
	t.Parallel()
	phone, hotline, r := wires(t, Rule{Way: ToHotline, Kind: "BYE", Drop: First(1)})
	for _, text := range []string{plain("BYE", 1), plain("BYE", 1), plain("INFO", 2), plain("BYE", 3), plain("BYE", 3), "end"} {
		_, err := phone.Write([]byte(text))
		require.NoError(t, err)
	}
	require.Equal(t, []string{"BYE 1 BYE", "INFO 2 INFO", "BYE 3 BYE"}, heard(t, hotline, "end"))
	require.Equal(t, 2, r.Hits())

	for _, text := range []string{plain("BYE", 1), "end"} {
		_, err := hotline.WriteToUDPAddrPort([]byte(text), r.Outer())
		require.NoError(t, err)
	}
	require.Equal(t, []string{"BYE 1 BYE"}, heard(t, phone, "end"), "the other direction")
	require.Equal(t, 2, r.Hits())
	require.Equal(t, 2, strings.Count(r.Story(), "lost"))
}

// TestRelayDrops: which copies each pattern loses.
func TestRelayDrops(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		drop func(int) bool
		lost string
	}{
		"first":        {First(1), "x...."},
		"first two":    {First(2), "xx..."},
		"every second": {EverySecond, "x.x.x"},
	} {
		lost := ""
		for turn := 1; turn <= 5; turn++ {
			lost += map[bool]string{true: "x", false: "."}[row.drop(turn)]
		}
		require.Equal(t, row.lost, lost, name)
	}
}

// TestRelaySwaps: neighbours change places, and one with nobody behind it is not held for ever.
func TestRelaySwaps(t *testing.T) {
	t.Parallel()
	phone, hotline, _ := wires(t, Rule{Way: ToHotline, Kind: "INFO", Swap: true, Hold: 20 * time.Millisecond})
	for _, text := range []string{plain("INFO", 1), plain("INFO", 2), plain("INFO", 3)} {
		_, err := phone.Write([]byte(text))
		require.NoError(t, err)
	}
	require.Equal(t, []string{"INFO 2 INFO", "INFO 1 INFO"}, heard(t, hotline, "INFO sip:1@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK3"))
}

// TestRelayDoublesAndDelays: both arrive; what is late arrives later than asked for.
func TestRelayDoublesAndDelays(t *testing.T) {
	t.Parallel()
	const delay = 30 * time.Millisecond
	phone, hotline, r := wires(t, Rule{Kind: "INFO", Twice: true}, Rule{Kind: "BYE", Delay: func() time.Duration { return delay }})
	began := time.Now()
	for _, text := range []string{plain("BYE", 1), plain("INFO", 2)} {
		_, err := phone.Write([]byte(text))
		require.NoError(t, err)
	}
	require.Equal(t, []string{"INFO 2 INFO", "INFO 2 INFO"}, heard(t, hotline, "BYE"))
	require.GreaterOrEqual(t, time.Since(began), delay)
	require.Equal(t, 2, r.Hits())
}

// TestRelayKinds: what each message is called.
func TestRelayKinds(t *testing.T) {
	t.Parallel()
	r := &Relay{within: make(map[string]struct{})}
	within := func(text string) string {
		return strings.Replace(text, "To: <sip:1@127.0.0.1>\r", "To: <sip:1@127.0.0.1>;tag=b\r", 1)
	}
	for _, row := range []struct {
		way  Way
		text string
		kind Kind
	}{
		{ToHotline, plain("INVITE", 1), KindINVITE},
		{ToPhone, plain("180 INVITE", 1), "180 INVITE"},
		{ToPhone, plain("200 INVITE", 1), "200 INVITE"},
		{ToHotline, within(plain("ACK", 1)), KindACK},
		{ToHotline, within(plain("INVITE", 2)), KindReINVITE},
		{ToPhone, plain("200 INVITE", 2), "200 re-INVITE"},
		{ToHotline, within(plain("ACK", 2)), "ACK re-INVITE"},
		// The two sides count apart: this is theirs, and no answer to ours.
		{ToHotline, plain("200 INVITE", 2), "200 INVITE"},
		{ToHotline, "no SIP at all", ""},
		{ToHotline, "\r\n\r\n", ""},
	} {
		kind, _ := r.look(row.way, []byte(row.text))
		require.Equal(t, row.kind, kind, row.text)
	}
}

// TestRelayStranger: who sends no SIP is not taken for the phone.
func TestRelayStranger(t *testing.T) {
	t.Parallel()
	phone, hotline, r := wires(t)
	_, err := phone.Write([]byte(plain("BYE", 1)))
	require.NoError(t, err)
	stranger := openUDP(t, loopback)
	defer stranger.Close() //nolint:errcheck // nothing was written that could be lost
	_, err = stranger.WriteToUDPAddrPort([]byte("stray"), r.Inner())
	require.NoError(t, err)
	require.Len(t, heard(t, hotline, "stray"), 1)
	_, err = hotline.WriteToUDPAddrPort([]byte("end"), r.Outer())
	require.NoError(t, err)
	require.Empty(t, heard(t, phone, "end"))
}

// TestRelayCloses: what is still under way when the test ends keeps nobody; goleak looks.
func TestRelayCloses(t *testing.T) {
	t.Parallel()
	phone, _, r := wires(t, Rule{Delay: func() time.Duration { return time.Hour }})
	_, err := phone.Write([]byte(plain("BYE", 1)))
	require.NoError(t, err)
	Within(t, Patience, "the relay to hold it", func() bool { return r.Hits() == 1 })
}
