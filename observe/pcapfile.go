package observe

import (
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"hotline/call"
)

// carrier is what a packet came in.
type carrier int

const (
	inDatagram carrier = iota
	inStream           // TCP
	inside             // TLS or a WebSocket: in clear, and without its frame
)

// carrierOf is that of a transport, as a Via names it (RFC 3261 section 20.42, RFC 7118 section 5.2).
func carrierOf(transport string) carrier {
	switch transport {
	case "UDP":
		return inDatagram
	case "TCP":
		return inStream
	default:
		return inside
	}
}

// frame is one packet to be written.
type frame struct {
	at       time.Time
	in       carrier
	from, to netip.AddrPort
	data     []byte
}

// file is a capture file of IP packets, whose headers are made of what is known: addresses, ports, and for TCP how much
// was said so far, so that a reader finds each stream whole. What was inside of something is packets of linkUpper, on an
// interface that is only there with the first of them: some readers take files of one kind alone.
type file struct {
	w       *pcapgo.NgWriter
	packet  gopacket.SerializeBuffer
	said    map[[2]netip.AddrPort]uint32 // octets, from and to
	upper   int                          // the interface of linkUpper; 0: none yet
	packets int
	octets  int
	missed  int // so far
	told    int // of them, in the packets so far
	// last is the packet that is not written yet, as it may be the one that says why there are no more.
	last     []byte
	lastInfo gopacket.CaptureInfo
	lastMore pcapgo.NgPacketOptions
}

const (
	hops   = 64
	window = 65535
	// mostFrame is what of a packet's data fits into one of IPv4.
	mostFrame = 65535 - 60 - 60
)

func newFile(w io.Writer) (*file, error) {
	ng, err := pcapgo.NewNgWriter(w, layers.LinkTypeRaw)
	if err != nil {
		return nil, fmt.Errorf("begin a capture: %w", err)
	}
	return &file{w: ng, packet: gopacket.NewSerializeBuffer(), said: make(map[[2]netip.AddrPort]uint32)}, nil
}

func (f *file) write(p frame) error {
	if len(p.data) > mostFrame {
		f.missed++
		return nil
	}
	p.from, p.to = known(p.from, p.to), known(p.to, p.from)
	if p.in == inside {
		return f.writeUpper(p)
	}
	network, next := header(p)
	stack := []gopacket.SerializableLayer{network, next}
	if t, ok := next.(*layers.TCP); ok {
		way, back := [2]netip.AddrPort{p.from, p.to}, [2]netip.AddrPort{p.to, p.from}
		t.Seq, t.Ack = 1+f.said[way], 1+f.said[back]
		f.said[way] += uint32(len(p.data)) //nolint:gosec // at most mostFrame; the sum may wrap, as in TCP
	}
	o := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(f.packet, o, append(stack, gopacket.Payload(p.data))...); err != nil {
		return fmt.Errorf("make a packet: %w", err)
	}
	return f.put(p.at, 0, f.packet.Bytes())
}

// known is an address, or where it is not known, or that of all, the unspecified one of the other's family: both ends of a
// packet are of one. The port of one that is not known at all is 0.
func known(a, other netip.AddrPort) netip.AddrPort {
	switch {
	case a.IsValid() && !a.Addr().Unmap().IsUnspecified():
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	case other.Addr().Unmap().Is4():
		return netip.AddrPortFrom(netip.IPv4Unspecified(), a.Port())
	default:
		return netip.AddrPortFrom(netip.IPv6Unspecified(), a.Port())
	}
}

// writeUpper writes what was inside of something.
func (f *file) writeUpper(p frame) error {
	if f.upper == 0 {
		own := pcapgo.DefaultNgInterface
		own.Name, own.LinkType = "inside", linkUpper
		id, err := f.w.AddInterface(own)
		if err != nil {
			return fmt.Errorf("begin an interface: %w", err)
		}
		f.upper = id
	}
	return f.put(p.at, f.upper, upper(nil, p.from, p.to, p.data))
}

// put keeps a packet to be written next.
func (f *file) put(at time.Time, on int, b []byte) error {
	if err := f.out(); err != nil {
		return err
	}
	f.packets++
	f.octets += len(b)
	f.last = append(f.last[:0], b...)
	f.lastInfo = gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(b), Length: len(b), InterfaceIndex: on}
	f.lastMore = pcapgo.NgPacketOptions{}
	if lost := uint64(f.missed - f.told); lost > 0 { //nolint:gosec // missed only grows
		f.lastMore.DropCount, f.told = &lost, f.missed
	}
	return nil
}

// out writes the packet that waits.
func (f *file) out() error {
	if len(f.last) == 0 {
		return nil
	}
	return f.w.WritePacketWithOptions(f.lastInfo, f.last, f.lastMore)
}

// ends are the words for them in a file.
var ends = map[call.CaptureEnd]string{
	call.CaptureCallOver: "the call is over", call.CaptureTimeOver: "the time asked for is over",
	call.CaptureFull: "it is as large as one may be, the call goes on", call.CaptureStopped: "it was stopped, the call may go on",
}

// end writes what waits, with the word why there is no more, and what a reader of the whole should know.
func (f *file) end(done call.Capture) error {
	word := fmt.Sprintf("The capture ends here: %s. Of the call %d packets are missing", ends[done.End], done.Missed)
	if done.Unsure > 0 {
		word += fmt.Sprintf("; %d SIP messages of no call were not looked at", done.Unsure)
	}
	f.lastMore.Comments = []string{word + "."}
	err := f.out()
	if err == nil {
		err = f.w.WriteInterfaceStats(0, pcapgo.NgInterfaceStatistics{
			LastUpdate: time.Now(), PacketsReceived: uint64(done.Packets + done.Missed), PacketsDropped: uint64(done.Missed), //nolint:gosec // counts
		})
	}
	if err != nil {
		return err
	}
	return f.flush()
}

// header is the packet's of IP, and what follows it.
func header(p frame) (network, next gopacket.SerializableLayer) {
	protocol := layers.IPProtocolUDP
	if p.in == inStream {
		protocol = layers.IPProtocolTCP
	}
	from, to := p.from.Addr().Unmap().WithZone(""), p.to.Addr().Unmap().WithZone("")
	var under gopacket.NetworkLayer
	if from.Is4() && to.Is4() {
		ip := &layers.IPv4{Version: 4, TTL: hops, Protocol: protocol, SrcIP: from.AsSlice(), DstIP: to.AsSlice()}
		network, under = ip, ip
	} else {
		a, b := from.As16(), to.As16()
		ip := &layers.IPv6{Version: 6, HopLimit: hops, NextHeader: protocol, SrcIP: a[:], DstIP: b[:]}
		network, under = ip, ip
	}
	if p.in == inStream {
		t := &layers.TCP{
			SrcPort: layers.TCPPort(p.from.Port()), DstPort: layers.TCPPort(p.to.Port()), ACK: true, PSH: true, Window: window,
		}
		_ = t.SetNetworkLayerForChecksum(under) // it is one of the two that can be
		return network, t
	}
	u := &layers.UDP{SrcPort: layers.UDPPort(p.from.Port()), DstPort: layers.UDPPort(p.to.Port())}
	_ = u.SetNetworkLayerForChecksum(under) // likewise
	return network, u
}

// flush hands on what was written.
func (f *file) flush() error {
	if err := f.w.Flush(); err != nil {
		return fmt.Errorf("hand on a capture: %w", err)
	}
	return nil
}
