package observe_test

import (
	"bytes"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopacket/gopacket/pcapgo"
	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/internal/testkit"
	"hotline/media"
)

// A message over a connection that we made, whose address of ours nobody knows, is in the file; so is one of a socket of all
// addresses. How much there was no room
// for is told at its end.
func TestPcapTellsWhatItLacks(t *testing.T) {
	t.Parallel()
	testkit.Require(t, "tshark")
	const most, more = 1024, 76 // that wait to be written, and that come beyond
	var file bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		w := &wire{show: make(map[int]func(call.WireMessage))}
		var legs atomic.Pointer[[]media.Stream]
		legs.Store(&[]media.Stream{&leg{}})
		done, err := calling(w, &legs).Pcap(t.Context(), "c1", &file, func() {
			m := over("leg-a", "TCP", "INVITE", false)
			m.Call = "c1"
			m.Local, m.Remote = netip.AddrPort{}, netip.MustParseAddrPort("192.0.2.9:5060")
			w.say(m)
			for local, remote := range map[string]string{"[::]:5060": "192.0.2.9:5060", "0.0.0.0:5060": "[2001:db8::9]:5060"} {
				all := of("c1", over("leg-a", "UDP", "MESSAGE", false))
				all.Local, all.Remote = netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote)
				w.say(all)
			}
			for range most - 3 + more {
				one := over("leg-b", "UDP", "OPTIONS", true)
				one.Call = "c1"
				w.say(one)
			}
			legs.Store(nil)
		})
		require.NoError(t, err)
		require.Equal(t, []int{most, more}, []int{done.Packets, done.Missed})
	})
	r, err := pcapgo.NewNgReader(bytes.NewReader(file.Bytes()), pcapgo.DefaultNgReaderOptions)
	require.NoError(t, err)
	for err == nil {
		_, _, err = r.ReadPacketData()
	}
	require.ErrorIs(t, err, io.EOF)
	on, err := r.Interface(0)
	require.NoError(t, err)
	require.EqualValues(t, more, on.Statistics.PacketsDropped)
	require.EqualValues(t, most+more, on.Statistics.PacketsReceived)
	require.Equal(t, "0.0.0.0|192.0.2.9||\n||::|2001:db8::9\n", sorted(tshark(t, file.Bytes(), "-Y", `sip.Method == "MESSAGE"`, "-T", "fields", "-E", "separator=|",
		"-e", "ip.src", "-e", "ip.dst", "-e", "ipv6.src", "-e", "ipv6.dst")), "both ends of a packet are of one family")
	require.Equal(t, "INVITE|0.0.0.0|192.0.2.9\n", tshark(t, file.Bytes(), "-Y", "tcp", "-T", "fields", "-E", "separator=|", "-e", "sip.Method", "-e", "ip.src", "-e", "ip.dst"))
}

// sorted has lines in order.
func sorted(text string) string { return strings.Join(slices.Sorted(strings.Lines(text)), "") }

// tshark reads a capture.
func tshark(t *testing.T, capture []byte, args ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "c1.pcapng")
	require.NoError(t, os.WriteFile(name, capture, 0o600))
	out, err := exec.CommandContext(t.Context(), "tshark", append([]string{"-n", "-r", name}, args...)...).Output()
	require.NoError(t, err)
	return string(out)
}

// Whatever a message came in, Wireshark finds it, with its addresses and ports: over TLS on the port where it would look for
// TLS, and out of WebSockets on the ports of HTTP; and as ever what is beside them.
func TestPcapOfWhatWasInside(t *testing.T) {
	t.Parallel()
	testkit.Require(t, "tshark")
	var file bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		w := &wire{show: make(map[int]func(call.WireMessage))}
		var legs atomic.Pointer[[]media.Stream]
		legs.Store(&[]media.Stream{&leg{}})
		h := calling(w, &legs)
		done, err := h.Pcap(t.Context(), "c1", &file, func() {
			say := func(transport, start string, port uint16, received bool) {
				m := over("leg-a", transport, start, received)
				m.Local, m.Call = netip.AddrPortFrom(m.Local.Addr(), port), "c1"
				w.say(m)
				time.Sleep(time.Millisecond) // of synctest: they are written in the order of their times
			}
			say("UDP", "INVITE", 5060, true)
			say("TLS", "INFO", 5061, true)
			say("WS", "OPTIONS", 80, false)
			say("WSS", "UPDATE", 443, true)
			say("TCP", "BYE", 5060, false)
			four := over("leg-a", "TLS", "MESSAGE", true)
			four.Call = "c1"
			four.Local, four.Remote = netip.MustParseAddrPort("192.0.2.1:5061"), netip.MustParseAddrPort("[::ffff:192.0.2.9]:40000")
			w.say(four)
			legs.Store(nil)
		})
		require.NoError(t, err)
		require.Equal(t, 6, done.Packets)
	})
	got := tshark(t, file.Bytes(), "-T", "fields", "-E", "separator=|", "-e", "sip.Method", "-e", "ipv6.src",
		"-e", "exported_pdu.ipv6_src", "-e", "exported_pdu.ipv4_src", "-e", "exported_pdu.src_port", "-e", "exported_pdu.dst_port",
		"-e", "_ws.malformed")
	require.Equal(t, `INVITE|2001:db8::9|||||
INFO|2001:db8::9|2001:db8::9||5060|5061|
OPTIONS|2001:db8::1|2001:db8::1||80|5060|
UPDATE|2001:db8::9|2001:db8::9||5060|443|
BYE|2001:db8::1|||||
MESSAGE|||192.0.2.9|40000|5061|
`, got)
}
