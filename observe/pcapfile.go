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

// frame is one packet to be written.
type frame struct {
	at       time.Time
	tcp      bool
	from, to netip.AddrPort
	data     []byte
}

// file is a capture file of IP packets, whose headers are made of what is known: addresses, ports, and for TCP how much
// was said so far, so that a reader finds each stream whole.
type file struct {
	w       *pcapgo.NgWriter
	packet  gopacket.SerializeBuffer
	said    map[[2]netip.AddrPort]uint32 // octets, from and to
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
	if !p.from.IsValid() || !p.to.IsValid() || len(p.data) > mostFrame {
		f.missed++
		return nil
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
	b := f.packet.Bytes()
	if err := f.out(); err != nil {
		return err
	}
	f.packets++
	f.octets += len(b)
	f.last = append(f.last[:0], b...)
	f.lastInfo = gopacket.CaptureInfo{Timestamp: p.at, CaptureLength: len(b), Length: len(b)}
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
	if p.tcp {
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
	if p.tcp {
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
