package mediatest

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// Kinds of RTCP packets (RFC 3550 section 12.1).
const (
	senderReport   = 200
	receiverReport = 201
	sourceName     = 202
	farewell       = 203
)

// control is a phone's RTCP: at a port of its own, or at the phone's.
type control struct {
	t     *testing.T
	phone *Phone
	conn  *net.UDPConn // nil: at the phone's
	to    netip.AddrPort
}

// newControl opens a port for a phone's RTCP, named by line, which belongs into its description.
func newControl(t *testing.T, p *Phone) *control {
	t.Helper()
	conn := listenAt(t, p.Address().Addr())
	t.Cleanup(func() { _ = conn.Close() })
	return &control{t: t, phone: p, conn: conn}
}

func (c *control) line() string {
	return fmt.Sprintf("a=rtcp:%d", c.conn.LocalAddr().(*net.UDPAddr).Port)
}

// aim has it send to a stream's RTCP port.
func (c *control) aim(s media.Stream) {
	c.to = netip.AddrPortFrom(s.Local().Addr(), s.Local().Port()+1)
}

// say sends a datagram.
func (c *control) say(b []byte) {
	c.t.Helper()
	if c.conn == nil {
		c.phone.Raw(b)
		return
	}
	_, err := c.conn.WriteToUDPAddrPort(b, c.to)
	require.NoError(c.t, err)
}

// next is the next datagram that comes, by its packets; reports come every few seconds.
func (c *control) next() map[byte][]byte {
	c.t.Helper()
	var b []byte
	if c.conn == nil {
		select {
		case b = <-c.phone.reports:
		case <-time.After(3 * patience):
			require.FailNow(c.t, "no report came")
		}
	} else {
		b = make([]byte, 1500)
		require.NoError(c.t, c.conn.SetReadDeadline(time.Now().Add(3*patience)))
		n, _, err := c.conn.ReadFromUDPAddrPort(b)
		require.NoError(c.t, err)
		b = b[:n]
	}
	packets := map[byte][]byte{}
	for len(b) > 0 {
		size := 4 + 4*int(binary.BigEndian.Uint16(b[2:]))
		packets[b[1]], b = b[:size], b[size:]
	}
	require.Contains(c.t, packets, byte(sourceName), "RFC 3550 section 6.1")
	return packets
}

// until takes datagrams up to the first that is wanted, and returns that.
func (c *control) until(wanted func(map[byte][]byte) bool) map[byte][]byte {
	c.t.Helper()
	for {
		if packets := c.next(); wanted(packets) {
			return packets
		}
	}
}

// rtcp makes a packet of 32-bit words.
func rtcp(count, kind byte, words ...uint32) []byte {
	b := []byte{0x80 | count, kind, 0, byte(len(words))}
	for _, w := range words {
		b = binary.BigEndian.AppendUint32(b, w)
	}
	return b
}

// block is what a report of the phone's says of the stream's packets.
type block struct{ ssrc, lost, highest, jitter, lsr, dlsr uint32 }

// report makes a receiver report of the phone's.
func (c *control) report(blocks ...block) []byte {
	words := []uint32{c.phone.SSRC}
	for _, b := range blocks {
		words = append(words, b.ssrc, b.lost, b.highest, b.jitter, b.lsr, b.dlsr)
	}
	return rtcp(byte(len(blocks)), receiverReport, words...)
}

// reportsOn reads what a report of the stream's says of the phone: when its last report was made, and how long ago it
// came; false without a block about it (RFC 3550 section 6.4.1).
func (c *control) reportsOn(packets map[byte][]byte) (lsr, dlsr uint32, ok bool) {
	b, at := packets[senderReport], 28
	if b == nil {
		b, at = packets[receiverReport], 8
	}
	if len(b) < at+24 || binary.BigEndian.Uint32(b[at:]) != c.phone.SSRC {
		return 0, 0, false
	}
	return binary.BigEndian.Uint32(b[at+16:]), binary.BigEndian.Uint32(b[at+20:]), true
}
